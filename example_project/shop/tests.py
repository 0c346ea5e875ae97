"""The shop's own tests. They send nothing: `OutboxMixin` appends each message to the list `outbox`.

Run them with ``python manage.py test``. Not `django.test.TestCase`: signals are sent after the commit.
"""

from __future__ import annotations

from django.test import TransactionTestCase
from django.urls import reverse

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing import OutboxMixin, outbox
from django_messente_dlr.testing.callbacks import simulate_callback
from shop.models import Note, Order


class OrderTests(OutboxMixin, TransactionTestCase):
    """Orders, their SMS, and the state of an order after a delivery report."""

    def create_order(self, phone: str = "+372 5550 0000") -> str:
        """Create an order by the form, and return the page."""
        form = {"phone": phone, "text": "Your parcel is here."}
        return self.client.post(reverse("orders"), form, follow=True).content.decode()

    def report(self, stat: str, err: int = 0) -> Order:
        """Report the result of the SMS of the latest order, as Messente does, and return the order."""
        message = SmsMessage.objects.latest("pk")
        assert simulate_callback(message, stat, err).status_code == 200
        return Order.objects.get(message=message)

    def test_order__sends_one_sms(self) -> None:
        assert "Messente accepted the SMS as" in self.create_order()
        (sent,) = outbox
        assert (sent.to, sent.text, sent.sender) == ("+37255500000", "Your parcel is here.", "Shop")
        assert Order.objects.get().message == SmsMessage.objects.get()

    def test_order__malformed_number_sends_nothing(self) -> None:
        assert "is not a phone number" in self.create_order(phone="5550 0000")
        assert (len(outbox), Order.objects.count()) == (0, 0)

    def test_order__delivery_informs_the_customer(self) -> None:
        self.create_order()
        assert self.report("DELIVRD").state == Order.State.INFORMED
        assert "Customer informed" in self.client.get(reverse("orders")).content.decode()

    def test_order__failure_needs_a_call(self) -> None:
        self.create_order()
        assert self.report("UNDELIV", 3).state == Order.State.CALL

    def test_order__temporary_failure_is_still_on_its_way(self) -> None:
        self.create_order()
        assert self.report("UNDELIV", 999).state == Order.State.INFORMING
        assert Note.objects.filter(signal="temporary_failure").exists()

    def test_order__account_out_of_credits_sends_nothing(self) -> None:
        self.create_order()
        self.report("REJECTD", 4)
        outbox.clear()
        assert "out of credits" in self.create_order()
        assert (outbox, Order.objects.latest("pk").state) == ([], Order.State.CALL)
