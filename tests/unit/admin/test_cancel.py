"""The action that cancels scheduled messages: its confirmation, its results, and its button."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import responses
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_messente_dlr.admin.actions import cancel
from django_messente_dlr.backends.base import BaseBackend
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, admin_messages, html, list_url, page_url
from tests.unit.admin.test_actions import results, selected
from tests.unit.messente.answering import no_answer_in_time

pytestmark = pytest.mark.django_db(transaction=True)
BUTTON = 'value="cancel"'


class DeliveringBackend(BaseBackend):
    """Report the delivery of a message while it is being cancelled."""

    def cancel(self, message: SmsMessage) -> None:
        simulate_callback(message)


def scheduled(**attributes: Any) -> SmsMessage:
    message: SmsMessage = SmsMessageFactory.create(
        **{"send_at": timezone.now() + timedelta(days=1), "recipient": "+37255500000", **attributes}
    )
    return message


def send_tomorrow() -> SmsMessage:
    return send_sms("+37255500000", "Tere", send_at=timezone.now() + timedelta(days=1))


def test_cancel__asks_for_confirmation(admin_client: Client, messente_sandbox: Sandbox) -> None:
    message = send_tomorrow()
    response = act(admin_client, "cancel", message)
    page = response.content.decode()
    assert "1 message will be cancelled, in the queue or at Messente. It cannot be restored." in page
    assert results(response)[0][-1] == "Yes"
    assert 'name="confirmed" value="yes"' in page
    assert SmsMessage.objects.get().status == "sent"
    assert not any(sent.cancelled for sent in messente_sandbox.messages)


def test_cancel__result_per_message(admin_client: Client, messente_sandbox: Sandbox, dlr_signals: SignalLog) -> None:
    message, delivered = send_tomorrow(), scheduled(status=Status.DELIVERED)
    unknown = scheduled(sms_unique_id="an-id", account="default")
    lines = results(act(admin_client, "cancel", message, delivered, unknown, confirmed="yes"))
    assert [line[1:3] for line in lines] == [
        ["Cancelled", "Cancelled"],
        ["Not cancelled", "Delivered"],
        ["Not cancelled", "Sent"],
    ]
    assert [line[3] for line in lines[1:]] == [
        "The message is final.",
        "Messente does not know the message, or has sent it already. (ERROR 107)",
    ]
    assert dlr_signals.names.count("dlr_cancelled") == 1
    assert "Cancelled at Messente." in html(admin_client, page_url(message, "history"))
    page = html(admin_client, page_url(message))
    assert "The message was cancelled before Messente sent it." in page
    assert "Response to cancelling: status changed" in page
    assert BUTTON not in page


def test_cancel__lost_answer_is_uncertain(admin_client: Client, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": ["http://127.0.0.1:9", "http://127.0.0.1:10"]}
    message = scheduled(sms_unique_id="an-id")
    with responses.RequestsMock() as mock:
        mock.post("http://127.0.0.1:9/cancel_sms/", body=no_answer_in_time())
        mock.post("http://127.0.0.1:10/cancel_sms/", body="ERROR 107")
        (line,) = results(act(admin_client, "cancel", message, confirmed="yes"))
    assert line[1:3] == ["Uncertain", "Sent"]
    assert "The first request may have cancelled the message" in line[3]


def test_cancel__answer_is_masked(staff: Staff, settings: Any, messente_sandbox: Sandbox) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": ["http://127.0.0.1:9"]}
    message = scheduled(error_text="")
    client = staff("view_smsmessage", "cancel_smsmessage")
    response = act(client, "cancel", message, confirmed="yes")
    assert "+37255500000" not in response.content.decode()
    [line] = results(response)
    assert line[:2] == ["+372•••••000", "Uncertain"]
    assert "127.0.0.1" in line[3]
    assert SmsMessage.objects.get().status == "sent"


def test_cancel__delivered_during_the_request(admin_client: Client, messente_sandbox: Sandbox, settings: Any) -> None:
    message = send_tomorrow()
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": f"{__name__}.DeliveringBackend"}
    [line] = results(act(admin_client, "cancel", message, confirmed="yes"))
    assert line[1:4] == ["Not cancelled", "Delivered", "Delivered"]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"status": Status.FAILED}, "The message is final."),
        ({"status": Status.CANCELLED}, "The message was already cancelled."),
        ({"queued": True}, "The message has no ID from Messente."),
        ({"account": "gone"}, "The account of the message is not configured."),
        ({"send_at": None}, "The message is not scheduled, or its time has passed."),
        ({"send_at": timezone.now() - timedelta(hours=1)}, "The message is not scheduled, or its time has passed."),
    ],
)
def test_cancel__reasons_for_refusal(admin_client: Client, attributes: dict[str, Any], reason: str) -> None:
    message = scheduled(**attributes)
    response = act(admin_client, "cancel", message)
    assert "These messages cannot be cancelled." in response.content.decode()
    assert "Yes, cancel" not in response.content.decode()
    assert results(response)[0][-1] == f"No: {reason}"
    [line] = results(act(admin_client, "cancel", message, confirmed="yes"))
    is_cancelled = attributes.get("status") == Status.CANCELLED
    assert (line[1], line[3]) == ("Cancelled" if is_cancelled else "Not cancelled", reason)
    assert BUTTON not in html(admin_client, page_url(message))


def test_cancel__button_needs_the_permission(staff: Staff) -> None:
    message = scheduled()
    assert BUTTON in html(staff("view_smsmessage", "cancel_smsmessage"), page_url(message))
    assert BUTTON not in html(staff("view_smsmessage", "change_smsmessage", "resend_smsmessage"), page_url(message))


def test_cancel__get_and_missing_token_do_nothing(
    admin_client: Client, admin_user: User, messente_sandbox: Sandbox
) -> None:
    message = send_tomorrow()
    strict_client = Client(enforce_csrf_checks=True)
    strict_client.force_login(admin_user)
    query = f"?action=cancel&confirmed=yes&_selected_action={message.pk}"
    assert "Results of cancelling" not in admin_client.get(list_url(SmsMessage) + query, follow=True).content.decode()
    assert act(strict_client, "cancel", message, confirmed="yes").status_code == 403
    assert SmsMessage.objects.get().status == "sent"


def test_cancel__in_batches(admin_client: Client, messente_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "MAX_CANCELLED", 2)
    rows = [send_tomorrow() for _number in range(3)]
    assert len(results(act(admin_client, "cancel", *rows))) == 2
    response = act(admin_client, "cancel", *rows[:2], confirmed="yes", remaining=str(rows[2].pk))
    assert SmsMessage.objects.cancelled().count() == 2
    assert selected(response) == [rows[2].pk]


def test_cancel__too_many_messages(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_messente_dlr.admin.action_results.MAX_SELECTED", 1)
    response = act(admin_client, "cancel", scheduled(), scheduled())
    assert admin_messages(response) == [("error", "Choose at most 1 messages at a time. Nothing was done.")]


def test_resend__cancelled_message(admin_client: Client) -> None:
    message = scheduled(status=Status.CANCELLED, text="Tere")
    assert results(act(admin_client, "resend", message))[0][-1] == "No: The message was cancelled."
