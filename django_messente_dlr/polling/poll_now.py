"""Poll certain messages immediately, whatever their schedule is: for users, such as those of the admin."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from django.utils import timezone
from django.utils.translation import gettext

from django_messente_dlr import conf
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling.results import PollOutcome, PollResult, save_schedule
from django_messente_dlr.polling.status_requests import StatusFetcher, status_requests_for
from django_messente_dlr.polling.status_responses import process_response
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.rate_limiter import RateLimiter
from django_messente_dlr.utils.times import shift


def poll_now(messages: Iterable[SmsMessage]) -> list[PollResult]:
    """Poll Messente for ``messages`` now, and return a result for each, in their order.

    Messages that are final, that have no id of Messente's yet, or whose account is not configured, are not polled
    (`PollOutcome.NOT_ASKED`). The call takes as long as the requests do; ``POLL_CONCURRENCY`` run at the same time.

    Args:
        messages: the messages; the results have their rows as they are after the poll.
    """
    config = conf.get_config()
    messages = list(messages)
    rows = lookup.messages()
    keys = [message.pk for message in messages if can_poll(message)]
    # The same change as a poller's claim makes, so that no poller requests them at the same time.
    claimed_until = shift(timezone.now(), timedelta(seconds=config.poll_lease))
    pending = lookup.pending().filter(pk__in=keys)
    db_retry.retry_on_contention(partial(pending.update, due_at=claimed_until), using=pending.db)
    claimed = rows.select_related("pending").in_bulk(keys)
    requests = status_requests_for([claimed[pk] for pk in keys if pk in claimed])
    fetcher = StatusFetcher(RateLimiter(config.poll_rate, stop=threading.Event()))
    results: dict[int, PollResult] = {}
    with ThreadPoolExecutor(config.poll_concurrency, thread_name_prefix="messente-poll-now") as pool:
        futures = [(request, pool.submit(fetcher.fetch, request)) for request in requests]
        for request, future in futures:
            request_results = process_response(request, future.result, fetcher=fetcher)
            db_retry.retry_on_contention(partial(save_schedule, request_results), using=pending.db)
            results |= {result.message.pk: result for result in request_results}
    polled = rows.in_bulk([message.pk for message in messages])
    return [_final_result(message, results.get(message.pk), polled.get(message.pk)) for message in messages]


def can_poll(message: SmsMessage) -> bool:
    """Return whether a message is not final and Messente can be polled for it."""
    return not Status(message.status).is_final and not unpollable_reason(message)


def unpollable_reason(message: SmsMessage) -> str:
    """Return why Messente cannot be polled for a message, as a sentence; "" if it can."""
    if message.account not in conf.accounts():
        return gettext("The account of the message is not configured.")
    return "" if message.sms_unique_id or message.omnimessage_id else gettext("The message has no ID from Messente.")


def _final_result(message: SmsMessage, result: PollResult | None, row: SmsMessage | None) -> PollResult:
    """Return the result with the message's current row; FINAL also if a callback has made it final meanwhile."""
    outcome = result.outcome if result else PollOutcome.NOT_ASKED
    if row and Status(row.status).is_final:
        outcome = PollOutcome.FINAL
    error = result.error if result else unpollable_reason(message)
    return PollResult(row or message, outcome, "" if outcome is PollOutcome.FINAL else error)
