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
from django_messente_dlr.polling.results import Outcome, Result, schedule
from django_messente_dlr.polling.status_requests import Asker, questions_about
from django_messente_dlr.polling.status_responses import take
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.rate_limiter import Pace


def poll_now(messages: Iterable[SmsMessage]) -> list[Result]:
    """Ask Messente about ``messages`` now, and return what became of each, in their order.

    Messages that have ended, that Messente has given no id yet, or whose account is not configured, are not asked
    about (`Outcome.NOT_ASKED`). The call takes as long as the questions do, ``POLL_CONCURRENCY`` at a time.

    Args:
        messages: the messages; the rows in the results are as they are afterwards.
    """
    config = conf.current()
    wanted = list(messages)
    rows = lookup.messages()
    keys = [message.pk for message in wanted if can_be_asked(message)]
    # As a poller's claim would have it, so that none asks at the same time.
    until = timezone.now() + timedelta(seconds=config.poll_lease)
    claim = lookup.pending().filter(pk__in=keys)
    db_retry.patiently(partial(claim.update, due_at=until), using=claim.db)
    claimed = rows.select_related("pending").in_bulk(keys)
    asked = [claimed[pk] for pk in keys if pk in claimed]
    asker = Asker(Pace(config.poll_rate, stop=threading.Event()))
    results: dict[int, Result] = {}
    with ThreadPoolExecutor(config.poll_concurrency, thread_name_prefix="messente-poll-now") as pool:
        asking = [(question, pool.submit(asker.ask, question)) for question in questions_about(asked)]
        for question, future in asking:
            told = take(question, future.result, asker=asker)
            db_retry.patiently(partial(schedule, told), using=claim.db)
            results |= {result.message.pk: result for result in told}
    now = rows.in_bulk([message.pk for message in wanted])
    return [_told(message, results.get(message.pk), now.get(message.pk)) for message in wanted]


def can_be_asked(message: SmsMessage) -> bool:
    """Tell whether there is something to ask Messente about a message, and somebody who can."""
    return not Status(message.status).is_final and not why_not_askable(message)


def why_not_askable(message: SmsMessage) -> str:
    """Return why nobody can ask Messente about a message, in a sentence; "" where that is not so."""
    if message.account not in conf.accounts():
        return gettext("Its account is not configured.")
    return "" if message.sms_unique_id or message.omnimessage_id else gettext("Messente has given it no id.")


def _told(message: SmsMessage, result: Result | None, row: SmsMessage | None) -> Result:
    outcome = result.outcome if result else Outcome.NOT_ASKED
    if row and Status(row.status).is_final:
        outcome = Outcome.FINAL
    error = result.error if result else why_not_askable(message)
    return Result(row or message, outcome, "" if outcome is Outcome.FINAL else error)
