"""The setting ``RESEND``: which failures are sent again, when, and what ends a chain of messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.backends import locmem
from django_messente_dlr.exceptions import MessageNotSent
from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.models import DeliveryReport, QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import (
    Sms,
    Viber,
    cancel,
    mark_failed,
    prepare_sms,
    queue_sms,
    resend,
    send_message,
    send_sms,
)
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.sending.resends import NUMBER, POLICY, TEXT, configure, fail, failures, newest, send_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def outbox(resend_outbox: list[Any]) -> list[Any]:
    return resend_outbox


@pytest.mark.usefixtures("each_path")
def test_policy__999_999_0_is_one_chain(dlr_signals: SignalLog, outbox: list[Any]) -> None:
    first = send_sms(NUMBER, TEXT, sender="Shop", metadata={"order": 17}, reference="order-17")
    fail(first)
    second = newest()
    assert (second.resend_of, second.attempt, second.status) == (first, 1, "queued")
    send_due()
    fail(newest())
    third = newest()
    assert (third.resend_of, third.attempt) == (second, 2)
    send_due()
    simulate_callback(newest(), "DELIVRD", 0)
    assert failures(dlr_signals) == [(first.pk, True, True), (second.pk, True, True)]
    assert [message.status for message in SmsMessage.objects.order_by("pk")] == ["failed", "failed", "delivered"]
    assert dlr_signals.names.count("dlr_delivered") == 1
    assert dlr_signals.arguments("dlr_delivered")["message"] == third
    assert not QueuedMessage.objects.exists()
    assert [(message.to, message.text) for message in outbox] == [(NUMBER, TEXT)] * 3
    assert {(row.sender, row.reference, row.metadata["order"]) for row in SmsMessage.objects.all()} == {
        ("Shop", "order-17", 17)
    }


def test_policy__ends_after_its_attempts(dlr_signals: SignalLog, outbox: list[Any]) -> None:
    fail(send_sms(NUMBER, TEXT))
    for _attempt in range(2):
        send_due()
        fail(newest())
    assert [will_resend for _pk, _temporary, will_resend in failures(dlr_signals)] == [True, True, False]
    assert SmsMessage.objects.count() == len(outbox) == 3
    assert newest().resent_at is None


@pytest.mark.parametrize(("attempt", "seconds"), [(None, 60), (1, 300)])
def test_policy__waits_for_the_backoff(attempt: int | None, seconds: int) -> None:
    before = timezone.now()
    fail(SmsMessageFactory.create(recipient=NUMBER, text=TEXT, attempt=attempt))
    row = newest()
    assert row.queued.due_at is not None
    backoff = timedelta(seconds=seconds)
    assert before + backoff <= row.queued.due_at <= timezone.now() + backoff
    assert row.send_at == row.queued.due_at
    assert row.next_poll_at is None
    assert QueueWorker().run().sent == 0


def test_policy__last_backoff_is_repeated(settings: Any) -> None:
    configure(settings, RESEND={"attempts": 9, "backoff": [60, 300]})
    fail(SmsMessageFactory.create(recipient=NUMBER, text=TEXT, attempt=5))
    due_at = newest().queued.due_at
    assert due_at is not None
    assert timedelta(seconds=200) < due_at - timezone.now() <= timedelta(seconds=300)


@pytest.mark.usefixtures("each_path")
@pytest.mark.parametrize("err", [1, 4, 6, ""])
def test_policy__other_causes_are_final(err: int | str, dlr_signals: SignalLog) -> None:
    message = send_sms(NUMBER, TEXT)
    fail(message, err)
    assert failures(dlr_signals) == [(message.pk, False, False)]
    assert SmsMessage.objects.get().resent_at is None


@pytest.mark.usefixtures("each_path")
def test_policy__without_receivers() -> None:
    fail(send_sms(NUMBER, TEXT))
    assert newest().attempt == 1


@pytest.mark.usefixtures("each_path")
def test_policy__off_by_default(settings: Any, dlr_signals: SignalLog) -> None:
    configure(settings, RESEND=None)
    message = send_sms(NUMBER, TEXT)
    fail(message)
    assert failures(dlr_signals) == [(message.pk, True, False)]
    assert SmsMessage.objects.get().resent_at is None


def test_policy__delivery_without_receivers_is_not_due() -> None:
    simulate_callback(send_sms(NUMBER, TEXT))
    report = DeliveryReport.objects.get()
    assert report.dispatch_due_at is None
    assert report.dispatched_at == report.received_at


@pytest.mark.parametrize(("temporary", "count"), [(True, 2), (False, 1)])
def test_policy__certainly_not_sent(temporary: bool, count: int, dlr_signals: SignalLog) -> None:
    error = MessageNotSent("no connection", temporary=temporary)
    with mock.patch.object(locmem.Backend, "send", side_effect=error), pytest.raises(MessageNotSent):
        send_sms(NUMBER, TEXT)
    assert [arguments[1:] for arguments in failures(dlr_signals)] == [(temporary, temporary)]
    assert SmsMessage.objects.count() == count


def test_policy__queue_gives_up_first(settings: Any, dlr_signals: SignalLog) -> None:
    configure(settings, QUEUE_MAX_ATTEMPTS=2)
    fail(send_sms(NUMBER, TEXT))
    error = MessageNotSent("no connection", temporary=True)
    with mock.patch.object(locmem.Backend, "send", side_effect=error):
        send_due()
        assert SmsMessage.objects.count() == 2
        send_due()
    assert [will_resend for *_other, will_resend in failures(dlr_signals)] == [True, True]
    assert newest().attempt == 2


def test_policy__message_of_another_client(dlr_signals: SignalLog) -> None:
    mark_failed(prepare_sms(NUMBER, text=TEXT), "no connection", temporary=True)
    assert newest().attempt == 1
    send_due()
    assert newest().status == "sent"


def test_policy__several_channels(dlr_signals: SignalLog, outbox: list[Any]) -> None:
    message = send_message(NUMBER, [Viber(TEXT, ttl=60), Sms("Hello")], priority="high")
    for channel in message.channels:
        simulate_callback(message, "FAILED", 999, sms_unique_id=channel["message_id"], channel=channel["channel"])
    assert failures(dlr_signals) == [(message.pk, True, True)]
    assert newest().queued.priority == 30
    send_due()
    assert [channel["text"] for channel in outbox[1].channels] == [TEXT, "Hello"]


class TestObstacles:
    """A failure that is not sent again is final."""

    def test_policy__content_not_stored(self, dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture) -> None:
        message = SmsMessageFactory.create(recipient=NUMBER, text="")
        fail(message)
        assert failures(dlr_signals) == [(message.pk, True, False)]
        assert "its text is not stored" in caplog.text
        assert TEXT not in caplog.text

    def test_policy__recipient_not_allowed(self, settings: Any, dlr_signals: SignalLog) -> None:
        message = send_sms(NUMBER, TEXT)
        configure(settings, ALLOWED_RECIPIENTS=["+3711*"])
        fail(message)
        assert failures(dlr_signals) == [(message.pk, True, False)]
        assert SmsMessage.objects.get().resent_at is None

    def test_policy__erased_recipient(self, dlr_signals: SignalLog) -> None:
        message = send_sms(NUMBER, TEXT)
        erase_recipients([NUMBER])
        fail(SmsMessage.objects.get())
        assert failures(dlr_signals) == [(message.pk, True, False)]

    def test_policy__erased_while_waiting(self, dlr_signals: SignalLog, outbox: list[Any]) -> None:
        fail(send_sms(NUMBER, TEXT))
        erase_recipients([NUMBER])
        send_due()
        assert len(outbox) == 1
        assert newest().status == "rejected"
        assert failures(dlr_signals)[-1] == (newest().pk, False, False)

    def test_policy__cancelled_while_waiting(self, dlr_signals: SignalLog, outbox: list[Any]) -> None:
        fail(send_sms(NUMBER, TEXT))
        cancel(newest())
        send_due()
        assert (newest().status, len(outbox)) == ("cancelled", 1)
        assert dlr_signals.names.count("dlr_cancelled") == 1

    def test_policy__waits_for_the_end_of_a_credit_hold(self, outbox: list[Any]) -> None:
        fail(send_sms(NUMBER, TEXT))
        account = AccountFactory.create(credits_exhausted_at=timezone.now())
        send_due()
        assert (newest().status, len(outbox)) == ("queued", 1)
        account.credits_exhausted_at = None
        account.save()
        send_due()
        assert (newest().status, len(outbox)) == ("sent", 2)

    def test_policy__message_that_was_resent(self, dlr_signals: SignalLog) -> None:
        """A receiver or a person was faster; the policy did not send the message again."""
        message = SmsMessageFactory.create(recipient=NUMBER, text=TEXT, resent_at=timezone.now())
        fail(message)
        assert failures(dlr_signals) == [(message.pk, True, False)]
        assert SmsMessage.objects.count() == 1


class TestLateDelivery:
    """A delivery of any message ends its chain."""

    def test_delivery__cancels_what_waits(self, dlr_signals: SignalLog, outbox: list[Any]) -> None:
        first = send_sms(NUMBER, TEXT)
        fail(first)
        simulate_callback(first)
        assert [message.status for message in SmsMessage.objects.order_by("pk")] == ["delivered", "cancelled"]
        send_due()
        assert len(outbox) == 1
        assert dlr_signals.names.count("dlr_delivered") == 1
        assert "dlr_cancelled" not in dlr_signals.names
        note = DeliveryReport.objects.get(message=newest()).dispatch_error
        assert note == f"dlr_cancelled {dispatch.DELIVERED_MEANWHILE}"

    def test_delivery__of_the_first_of_three(self, outbox: list[Any]) -> None:
        first = send_sms(NUMBER, TEXT)
        fail(first)
        send_due()
        fail(newest())
        simulate_callback(first)
        assert [message.status for message in SmsMessage.objects.order_by("pk")] == [
            "delivered",
            "failed",
            "cancelled",
        ]

    def test_delivery__without_receivers(self) -> None:
        first = send_sms(NUMBER, TEXT)
        fail(first)
        simulate_callback(first)
        assert newest().status == "cancelled"

    def test_delivery__of_the_first_while_the_second_is_sent(self, dlr_signals: SignalLog) -> None:
        first = send_sms(NUMBER, TEXT)
        fail(first)
        send_due()
        simulate_callback(first)
        assert newest().status == "sent"
        fail(newest())
        assert [pk for pk, *_other in failures(dlr_signals)] == [first.pk]
        assert SmsMessage.objects.count() == 2
        assert newest().resent_at is None

    def test_worker__continues_after_a_message_that_is_not_needed(self, settings: Any, outbox: list[Any]) -> None:
        configure(settings, QUEUE_BATCH_SIZE=1, QUEUE_CONCURRENCY=1)
        first = send_sms(NUMBER, TEXT)
        fail(first)
        SmsMessage.objects.filter(pk=first.pk).update(status=Status.DELIVERED, rank=Status.DELIVERED.rank)
        QueuedMessage.objects.update(due_at=timezone.now() - timedelta(minutes=1))
        other = queue_sms(NUMBER, "Another text")
        assert QueueWorker().run().sent == 1
        assert [message.text for message in outbox] == [TEXT, "Another text"]
        assert SmsMessage.objects.get(pk=other.pk).status == "sent"

    def test_worker__does_not_send_after_a_delivery(self, outbox: list[Any]) -> None:
        """The process that recorded the delivery died before it could cancel the message that waits."""
        first = send_sms(NUMBER, TEXT)
        fail(first)
        delivered = {"status": Status.DELIVERED, "rank": Status.DELIVERED.rank}
        SmsMessage.objects.filter(pk=first.pk).update(**delivered)
        send_due()
        assert (newest().status, len(outbox)) == ("cancelled", 1)
        assert not QueuedMessage.objects.exists()

    def test_delivery__of_a_message_that_a_person_resent(self, dlr_signals: SignalLog) -> None:
        first = send_sms(NUMBER, TEXT)
        fail(first, 1)
        second = resend(SmsMessage.objects.get())
        simulate_callback(first)
        fail(second)
        third = newest()
        assert (second.attempt, third.attempt, third.resend_of) == (None, 1, second)
        assert failures(dlr_signals)[-1] == (second.pk, True, True)


class TestDispatch:
    def test_deferred__task_sends_again(self, settings: Any, dlr_signals: SignalLog) -> None:
        configure(settings, DISPATCH="deferred")
        fail(send_sms(NUMBER, TEXT))
        assert SmsMessage.objects.count() == 1
        assert dispatch.dispatch_overdue() == 1
        assert newest().attempt == 1
        assert [will_resend for *_other, will_resend in failures(dlr_signals)] == [True]

    def test_crash__between_commit_and_policy(self, dlr_signals: SignalLog) -> None:
        message = send_sms(NUMBER, TEXT)
        with (
            mock.patch("django_messente_dlr.dispatch.send.dispatch_report", side_effect=SystemExit),
            pytest.raises(SystemExit),
        ):
            fail(message)
        assert SmsMessage.objects.count() == 1
        sweep()
        assert newest().attempt == 1
        assert failures(dlr_signals) == [(message.pk, True, True)]

    def test_crash__between_policy_and_signal(self, dlr_signals: SignalLog) -> None:
        message = send_sms(NUMBER, TEXT)
        with (
            mock.patch("django_messente_dlr.signals.dlr_failed.send_robust", side_effect=SystemExit),
            pytest.raises(SystemExit),
        ):
            fail(message)
        assert SmsMessage.objects.count() == 2
        sweep()
        assert SmsMessage.objects.count() == QueuedMessage.objects.count() + 1 == 2
        assert failures(dlr_signals) == [(message.pk, True, True)]

    def test_error__leaves_the_signals_due(self, dlr_signals: SignalLog) -> None:
        message = send_sms(NUMBER, TEXT)
        error = OperationalError("disk full")
        with mock.patch("django_messente_dlr.sending.resend_policy.drafts.insert", side_effect=error):
            fail(message)
        assert (SmsMessage.objects.get().resent_at, failures(dlr_signals)) == (None, [])
        sweep()
        assert failures(dlr_signals) == [(message.pk, True, True)]
        assert newest().attempt == 1

    @pytest.mark.parametrize("was_resent", [True, False])
    def test_repeated_signals__of_an_old_report(
        self,
        was_resent: bool,
        settings: Any,
        dlr_signals: SignalLog,
    ) -> None:
        configure(settings, RESEND=POLICY if was_resent else None)
        message = send_sms(NUMBER, TEXT)
        fail(message)
        configure(settings, RESEND=None if was_resent else POLICY)
        dispatch.dispatch_report(DeliveryReport.objects.get().pk)
        assert failures(dlr_signals) == [(message.pk, True, was_resent)] * 2
        assert SmsMessage.objects.count() == (2 if was_resent else 1)

    def test_constraint__one_attempt_of_a_message(self) -> None:
        first = SmsMessageFactory.create()
        SmsMessageFactory.create(resend_of=first)
        SmsMessageFactory.create(resend_of=first)
        SmsMessageFactory.create(resend_of=first, attempt=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            SmsMessageFactory.create(resend_of=first, attempt=1)
        assert first.resends.count() == 3


def sweep() -> None:
    """Dispatch what is overdue, as after the lease."""
    DeliveryReport.objects.filter(dispatch_due_at__isnull=False).update(
        dispatch_due_at=timezone.now() - timedelta(seconds=1)
    )
    call_command("dispatch_dlrs", verbosity=0)
