"""When to ask Messente about a message: pure arithmetic of times."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django_messente_dlr import conf

# Documentation: «Delivery Report», get_dlr_response: reports are kept for 48 hours. For the status of an omnimessage
# nobody says; here it is the same.
REPORT_RETENTION = timedelta(hours=48)
FINAL_POLL_MARGIN = timedelta(minutes=5)  # before the window closes
FIRST_INTERVAL = timedelta(minutes=1)
SHORTEST_INTERVAL = timedelta(seconds=5)  # documentation: get_dlr_response, «FAILED 102»
LONGEST_INTERVAL = timedelta(hours=4)
JITTER = 0.1
# A question that is overdue for so long says that nobody asks: longer than for a cron job that was late once, shorter
# than anybody wants to wait for news of an outage.
OVERDUE_AFTER = timedelta(minutes=10)


def first_poll_at(sent_at: datetime) -> datetime:
    """Return when to ask about a message first: later where Messente is expected to call by itself.

    Args:
        sent_at: when it was sent, or entered.
    """
    config = conf.get_config()
    return sent_at + timedelta(
        seconds=config.poll_grace if config.callback_base_url else config.poll_grace_without_callback
    )


def next_poll_at(*, now: datetime, closes: datetime, polls: int) -> datetime:
    """Return when to ask about a message again: in growing intervals, and once more before the window closes.

    Args:
        now: the present.
        closes: when Messente forgets the report.
        polls: how often it was asked about before.
    """
    interval = min(FIRST_INTERVAL * (1 << min(polls, 10)), LONGEST_INTERVAL)
    # Spread, so that what was sent together is not asked about together for ever. No secret depends on it.
    at = now + interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    last = closes - FINAL_POLL_MARGIN
    if at < last:
        return at
    return last if now <= last - SHORTEST_INTERVAL else closes
