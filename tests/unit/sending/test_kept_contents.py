"""The setting ``RESEND`` without ``STORE_TEXT``: what a message contains is kept until the message is final."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from django_messente_dlr.backends import locmem
from django_messente_dlr.exceptions import MessageNotSent
from django_messente_dlr.maintenance import resend_contents, sweep
from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.models import ResendContent, SmsMessage
from django_messente_dlr.sending import Sms, Viber, queue_sms, send_message, send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.sending.resends import NUMBER, TEXT, configure, fail, failures, newest, send_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def outbox(resend_outbox: list[Any], settings: Any) -> list[Any]:
    configure(settings, STORE_TEXT=False)
    return resend_outbox


def kept() -> list[int]:
    """Return the keys of the messages whose content is kept."""
    return list(ResendContent.objects.order_by("pk").values_list("pk", flat=True))


def test_kept__until_the_next_attempt(outbox: list[Any], dlr_signals: SignalLog) -> None:
    first = send_sms(NUMBER, TEXT, sender="Shop", validity=5)
    assert first.text == ""
    assert kept() == [first.pk]
    fail(first)
    assert kept() == []
    send_due()
    assert kept() == [newest().pk]
    fail(newest())
    send_due()
    assert kept() == []  # the last attempt
    assert [(message.text, message.channels[0]["validity"]) for message in outbox] == [(TEXT, 5)] * 3
    fail(newest())
    assert [will_resend for *_other, will_resend in failures(dlr_signals)] == [True, True, False]
    assert {row.text for row in SmsMessage.objects.all()} == {""}


def test_kept__of_several_channels(outbox: list[Any]) -> None:
    message = send_message(NUMBER, [Viber(TEXT, ttl=60), Sms("Hello")])
    for channel in message.channels:
        simulate_callback(message, "FAILED", 999, sms_unique_id=channel["message_id"], channel=channel["channel"])
    send_due()
    assert outbox[1].channels == outbox[0].channels
    assert TEXT not in str(newest().channels)


def test_kept__of_a_queued_message(outbox: list[Any]) -> None:
    message = queue_sms(NUMBER, TEXT)
    assert kept() == []
    send_due()
    assert kept() == [message.pk]
    fail(SmsMessage.objects.get())
    send_due()
    assert [message.text for message in outbox] == [TEXT, TEXT]


def test_kept__of_a_message_that_was_not_sent(outbox: list[Any]) -> None:
    error = MessageNotSent("no connection", temporary=True)
    with mock.patch.object(locmem.Backend, "send", side_effect=error), pytest.raises(MessageNotSent):
        send_sms(NUMBER, TEXT)
    send_due()
    assert [message.text for message in outbox] == [TEXT]


@pytest.mark.parametrize(("stat", "err"), [("DELIVRD", 0), ("UNDELIV", 1)])
def test_sweep__deletes_what_is_final(stat: str, err: int) -> None:
    pending, message = send_sms(NUMBER, TEXT), send_sms(NUMBER, TEXT)
    simulate_callback(message, stat, err)
    assert kept() == [pending.pk, message.pk]
    sweep.sweep()
    assert kept() == [pending.pk]


def test_sweep__keeps_what_a_due_report_needs(settings: Any) -> None:
    configure(settings, DISPATCH="deferred")
    message = send_sms(NUMBER, TEXT)
    fail(message)
    assert (resend_contents.delete_final_contents(), kept()) == (0, [message.pk])
    sweep.sweep()
    assert kept() == []
    assert newest().queued.content["channels"][0]["text"] == TEXT


def test_erasure__deletes_the_content() -> None:
    send_sms(NUMBER, TEXT)
    other = send_sms("+37255500001", f"Call {NUMBER}")
    erase_recipients([NUMBER])
    assert kept() == [other.pk]
    assert NUMBER not in str(ResendContent.objects.get().content)


def test_kept__only_with_the_policy(settings: Any) -> None:
    configure(settings, RESEND=None)
    send_sms(NUMBER, TEXT)
    assert kept() == []


def test_kept__error_does_not_prevent_sending(outbox: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    error = OperationalError("disk full")
    with mock.patch("django.db.models.query.QuerySet.bulk_create", side_effect=error):
        assert send_sms(NUMBER, TEXT).status == "sent"
    assert "RESEND cannot send it again" in caplog.text
    assert TEXT not in caplog.text
    assert kept() == []
