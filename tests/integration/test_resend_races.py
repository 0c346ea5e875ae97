"""`resend` of one message by two processes at the same time, and at the same time as a report about the message.

Each test runs at each isolation level that a project may configure. At most levels a transaction does not see
rows that were committed after it began.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, transaction

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import resend, resending, rows
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.isolation import close_connection, run_on_other_connection
from tests.locking import GENEROUS, wait_until_lock_wait

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("level")]
TWICE = "it was already sent again"


@pytest.fixture
def message(messente_sandbox: Sandbox) -> SmsMessage:
    message: SmsMessage = SmsMessageFactory.create(status=Status.FAILED, recipient="+37255500102", text="Tere")
    return message


def read(message: SmsMessage) -> SmsMessage:
    return SmsMessage.objects.get(pk=message.pk)


def try_resend(message: SmsMessage) -> str:
    """Send a message again from another thread, and return "sent" or the error."""
    try:
        return resend(message).status
    except ValueError as exc:
        return str(exc)
    finally:
        close_connection()


def test_resend__by_two_processes(message: SmsMessage, messente_sandbox: Sandbox) -> None:
    both = threading.Barrier(2)

    def process() -> str:
        own = read(message)
        both.wait(GENEROUS)
        return try_resend(own)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(process) for _process in range(2)]
        loser, winner = sorted(future.result(GENEROUS) for future in futures)
    assert TWICE in loser
    assert winner == "sent"
    assert SmsMessage.objects.exclude(pk=message.pk).get().resend_of == message
    assert len(messente_sandbox.messages) == 1


@pytest.mark.parametrize("is_undone", [False, True])
def test_resend__waits_for_the_claim_of_another(
    message: SmsMessage, messente_sandbox: Sandbox, *, is_undone: bool
) -> None:
    """The other process has claimed the message and inserted its row, as a queue does, and has not committed yet."""
    row, _request = resending.prepare_resend(message)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            resending.claim_resend(message)
            rows.insert(row, using="default")
            future = pool.submit(try_resend, read(message))
            wait_until_lock_wait()
            transaction.set_rollback(is_undone)
        result = future.result(GENEROUS)
    new = SmsMessage.objects.exclude(pk=message.pk).get()
    assert new.resend_of == message
    assert len(messente_sandbox.messages) == (1 if is_undone else 0)
    assert result == "sent" if is_undone else TWICE in result


def test_claim_resend__after_the_snapshot(message: SmsMessage) -> None:
    """The transaction of the caller began before another process sent the message again."""

    def claim_late() -> None:
        with transaction.atomic():
            assert read(message).resent_at is None
            run_on_other_connection(lambda: resend(read(message)))
            resending.claim_resend(message)

    # At some levels the database aborts the transaction.
    with pytest.raises((ValueError, OperationalError)):
        claim_late()
    assert SmsMessage.objects.exclude(pk=message.pk).count() == 1


def test_claim_resend__delivered_meanwhile(message: SmsMessage, messente_sandbox: Sandbox) -> None:
    resending.prepare_resend(message)
    run_on_other_connection(lambda: simulate_callback(message))
    with pytest.raises(ValueError, match="it reached its recipient"), transaction.atomic():
        resending.claim_resend(message)
    assert SmsMessage.objects.get().status == "delivered"
