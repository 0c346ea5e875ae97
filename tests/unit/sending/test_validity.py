"""The validity that another client has set: `mark_sent` and `track_sms` store it, and polling follows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from tests.unit.sending.answers import NUMBER

pytestmark = pytest.mark.django_db(transaction=True)
Record = Callable[..., SmsMessage]


def mark(**options: Any) -> SmsMessage:
    return mark_sent(prepare_sms(NUMBER), "an-id", **options)


def track(**options: Any) -> SmsMessage:
    return track_sms("an-id", **options)


each_function = pytest.mark.parametrize("record", [mark, track])


@each_function
@pytest.mark.parametrize(
    ("validity", "expected"),
    [
        (None, timedelta(hours=6)),
        (1, timedelta(minutes=1)),
        (4320, timedelta(days=3)),
        (timedelta(days=3), timedelta(days=3)),
    ],
)
def test_validity__begins_the_window_of_polling(record: Record, validity: Any, expected: timedelta) -> None:
    message = record(validity=validity)
    assert message.sent_at is not None
    assert message.report_expires_at == message.sent_at + expected + timedelta(hours=48)
    assert SmsMessage.objects.get().report_expires_at == message.report_expires_at


@each_function
@pytest.mark.parametrize(
    ("validity", "error", "text"),
    [
        (0, ValueError, "validity must be from 1 minute to a year, not 0 minutes."),
        (-5, ValueError, "validity must be from 1 minute to a year, not -5 minutes."),
        (timedelta(seconds=90), ValueError, "validity must be a whole number of minutes, not 0:01:30. Round it."),
        ("60", TypeError, "validity must be a whole number of minutes (int) or a timedelta, not str."),
        (True, TypeError, "validity must be a whole number of minutes (int) or a timedelta, not bool."),
    ],
)
def test_validity__is_checked(record: Record, validity: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        record(validity=validity)
    assert str(raised.value) == text
    assert not SmsMessage.objects.exclude(status="queued").exists()


@pytest.mark.parametrize("early_report", ["", "ACCEPTD", "UNDELIV"])
def test_mark_sent__validity_after_an_early_report(early_report: str) -> None:
    message = prepare_sms(NUMBER)
    if early_report:
        simulate_callback(message, early_report, sms_unique_id="an-id")
    assert mark_sent(message, "an-id", validity=60).validity == 3600


def test_mark_sent__second_call_keeps_the_validity() -> None:
    message = mark(validity=60)
    assert mark_sent(message, "an-id").validity == 3600
    assert mark_sent(message, "an-id", omnimessage_id="an-omni-id", validity=120).validity == 7200
