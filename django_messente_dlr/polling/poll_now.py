"""Asks about certain messages at once, whatever their schedule says: for people, such as those in the admin."""

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


def poll_now(messages: Iterable[SmsMessage]) -> list[PollResult]:
    """Ask Messente about ``messages`` now, and return what became of each, in their order.

    Messages that have ended, that Messente has given no id yet, or whose account is not configured, are not asked
    about (`PollOutcome.NOT_ASKED`). The call takes as long as the questions do, ``POLL_CONCURRENCY`` at a time.

    Args:
        messages: the messages; the rows in the results are as they are afterwards.
    """
    config = conf.get_config()
    wanted = list(messages)
    rows = lookup.messages()
    keys = [message.pk for message in wanted if can_poll(message)]
    # As a poller's claim would have it, so that none asks at the same time.
    until = timezone.now() + timedelta(seconds=config.poll_lease)
    claim = lookup.pending().filter(pk__in=keys)
    db_retry.retry_on_contention(partial(claim.update, due_at=until), using=claim.db)
    claimed = rows.select_related("pending").in_bulk(keys)
    asked = [claimed[pk] for pk in keys if pk in claimed]
    fetcher = StatusFetcher(RateLimiter(config.poll_rate, stop=threading.Event()))
    results: dict[int, PollResult] = {}
    with ThreadPoolExecutor(config.poll_concurrency, thread_name_prefix="messente-poll-now") as pool:
        asking = [(request, pool.submit(fetcher.fetch, request)) for request in status_requests_for(asked)]
        for request, future in asking:
            told = process_response(request, future.result, fetcher=fetcher)
            db_retry.retry_on_contention(partial(save_schedule, told), using=claim.db)
            results |= {result.message.pk: result for result in told}
    now = rows.in_bulk([message.pk for message in wanted])
    return [_told(message, results.get(message.pk), now.get(message.pk)) for message in wanted]


def can_poll(message: SmsMessage) -> bool:
    """Tell whether there is something to ask Messente about a message, and somebody who can."""
    return not Status(message.status).is_final and not unpollable_reason(message)


def unpollable_reason(message: SmsMessage) -> str:
    """Return why nobody can ask Messente about a message, in a sentence; "" where that is not so."""
    if message.account not in conf.accounts():
        return gettext("The account of the message is not configured.")
    return "" if message.sms_unique_id or message.omnimessage_id else gettext("The message has no ID from Messente.")


def _told(message: SmsMessage, result: PollResult | None, row: SmsMessage | None) -> PollResult:
    outcome = result.outcome if result else PollOutcome.NOT_ASKED
    if row and Status(row.status).is_final:
        outcome = PollOutcome.FINAL
    error = result.error if result else unpollable_reason(message)
    return PollResult(row or message, outcome, "" if outcome is PollOutcome.FINAL else error)
