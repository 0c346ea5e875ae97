"""Compute when to poll Messente for a message. These functions are pure but for the random jitter."""

from __future__ import annotations

from datetime import datetime, timedelta

from django_messente_dlr import conf
from django_messente_dlr.utils.times import growing_interval, shift

# Messente keeps reports for 48 hours (documentation: "Delivery Report", get_dlr_response). How long it keeps the
# status of an omnimessage is not documented; the same time is assumed.
REPORT_RETENTION = timedelta(hours=48)
# How long Messente tries to deliver an SMS without ``validity`` (documentation of ``send_sms``: 360 minutes). The
# default of the other channels is not documented; the same time is assumed.
DEFAULT_VALIDITY = timedelta(hours=6)
# How often a message of `prepare_sms` that is not sent yet is checked. `mark_sent`, or a report that contains its id,
# makes it due earlier.
PREPARED_INTERVAL = timedelta(days=1)
FINAL_POLL_MARGIN = timedelta(minutes=5)  # how long before the report expires the last poll is
FIRST_INTERVAL = timedelta(minutes=1)
SHORTEST_INTERVAL = timedelta(seconds=5)  # documentation: get_dlr_response, "FAILED 102"
LONGEST_INTERVAL = timedelta(hours=4)
# A poll that is overdue for this long means that no poller runs. It is longer than one late run of a cron job, and
# short enough to report an outage in time.
OVERDUE_AFTER = timedelta(minutes=10)


def first_poll_at(sent_at: datetime) -> datetime:
    """Return when to poll for a message first: later if callbacks are configured.

    Args:
        sent_at: when the message was sent or created.
    """
    config = conf.get_config()
    seconds = config.poll_grace if config.callback_base_url else config.poll_grace_without_callback
    return shift(sent_at, timedelta(seconds=seconds))


def next_poll_at(*, now: datetime, expires_at: datetime, polls: int) -> datetime:
    """Return when to poll for a message again: after growing intervals, and a last time before the report expires.

    Args:
        now: the current time.
        expires_at: when Messente deletes the report.
        polls: the number of earlier polls.
    """
    poll_at = shift(now, growing_interval(FIRST_INTERVAL, repetitions=polls, longest=LONGEST_INTERVAL))
    last = shift(expires_at, -FINAL_POLL_MARGIN)
    if poll_at < last:
        return poll_at
    return last if shift(now, SHORTEST_INTERVAL) <= last else expires_at
