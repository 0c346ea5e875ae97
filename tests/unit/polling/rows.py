"""Create messages that are due for a poller, and read them again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.utils.poll_schedule import DEFAULT_VALIDITY, REPORT_RETENTION

# Without a validity, Messente tries for 6 hours, and keeps the report for 48 hours after that.
WINDOW = DEFAULT_VALIDITY + REPORT_RETENTION
REPORT = "get_dlr_response"


def due(*, ago: timedelta = timedelta(hours=1), **attributes: Any) -> SmsMessage:
    """Create a message that was sent ``ago`` before the current time, and is due for a poll."""
    now = timezone.now()
    message: SmsMessage = SmsMessageFactory.create(
        **{"created_at": now - ago, "next_poll_at": now - timedelta(seconds=1), **attributes}
    )
    return message


def make_due(*messages: SmsMessage) -> None:
    """Make the next poll of messages due."""
    PendingPoll.objects.filter(pk__in=[message.pk for message in messages]).update(
        due_at=timezone.now() - timedelta(seconds=1)
    )


def seen(message: SmsMessage) -> SmsMessage:
    """Return the message as it is stored."""
    return SmsMessage.objects.get(pk=message.pk)
