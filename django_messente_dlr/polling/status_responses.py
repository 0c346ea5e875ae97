"""What becomes of messages when their question is answered, or not: recorded, asked about again, or given up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import router, transaction
from django.utils import timezone

from django_messente_dlr import accounts, conf, receiving
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling.results import PollOutcome, PollResult, postpone
from django_messente_dlr.polling.status_requests import StatusFetcher, StatusRequest
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import next_poll_at
from django_messente_dlr.utils.rate_limiter import PollSkipped

logger = logging.getLogger(__name__)

NO_REPORT = "Messente told nothing final within its 48 hours."
NAMELESS = (
    "Nothing final was heard within 48 hours, and nobody could ask: its id at Messente is not known. The answer to "
    "sending it got lost, or mark_sent was not called, perhaps because it was never sent."
)
UNCONFIGURED = "Nothing final was heard within 48 hours, and nobody could ask: its account is configured no more."
# How long a message waits for its account to be configured again.
ACCOUNT_AWAITED = timedelta(hours=1)


def process_response(
    request: StatusRequest, answer: Callable[[], list[Report | None]], *, fetcher: StatusFetcher
) -> list[PollResult]:
    """Do what the answer to a question asks for, and return what that was for each message.

    When to ask about a message again is left to `schedule`, which has it written down for many at once.

    Args:
        request: the question.
        answer: returns the answer, or raises what went wrong.
        fetcher: who asked.
    """
    now = timezone.now()
    try:
        reports = answer()
    except PollSkipped as exc:
        return postpone(request.messages, exc, now=now)
    except (errors.CredentialsRefused, errors.IpAddressRefused) as exc:
        _note_refusal(request.account, str(exc), fetcher=fetcher, now=now)
        return [PollResult(message, PollOutcome.REFUSED, str(exc)) for message in request.messages]
    except errors.UnknownMessage:  # no failure, only nothing new: not known yet, or not any more
        return [reschedule(message, now=now) for message in request.messages]
    except errors.MessenteError as exc:
        logger.warning("No answer about message %s: %s", ", ".join(str(m.pk) for m in request.messages), exc)
        return [reschedule(message, now=now, error=str(exc)) for message in request.messages]
    ended = _record(request, reports)
    messages = {message.pk: message for message in (*request.messages, *ended)}
    return [
        PollResult(message, PollOutcome.FINAL) if ended.get(message) else reschedule(message, now=now)
        for message in messages.values()
    ]


def reschedule(message: SmsMessage, *, now: datetime, error: str = "") -> PollResult:
    """Decide when to ask again about a message that was asked about or, after 48 hours, that nobody will."""
    closes = message.report_expires_at
    if now >= closes:
        return _give_up(message, NO_REPORT, polls=message.poll_count + 1, error=error)
    at = next_poll_at(now=now, closes=closes, polls=message.poll_count)
    return PollResult(message, PollOutcome.STILL_PENDING, error, again_at=at)


def reschedule_unpollable(message: SmsMessage, *, now: datetime) -> PollResult:
    """Decide how long a message waits about which nobody can be asked: for its id or its account, or no longer."""
    closes = message.report_expires_at
    is_ours = message.account in conf.accounts()
    if now >= closes:
        return _give_up(message, NAMELESS if is_ours else UNCONFIGURED, polls=message.poll_count)
    # Its id comes with a report, or when it is entered: then it is asked about in any case.
    at = closes if is_ours else min(closes, now + ACCOUNT_AWAITED)
    return PollResult(message, PollOutcome.NOT_ASKED, again_at=at)


def _give_up(message: SmsMessage, why: str, *, polls: int, error: str = "") -> PollResult:
    report = Report(source=Source.POLL, error_text=why, payload={"polls": polls})
    using = router.db_for_write(SmsMessage)

    def end() -> PollOutcome:
        with transaction.atomic(using=using):
            rows = lookup.messages().select_for_update().only("created_at", "sent_at", "rank")
            row = rows.filter(pk=message.pk).first()
            # It may have been sent since it was claimed: then its 48 hours have only begun.
            if row is None or timezone.now() < row.report_expires_at:
                return PollOutcome.STILL_PENDING
            if row.rank > Status.UNRESOLVED.rank:  # failed by one channel, and no other has told of its end
                return PollOutcome.FINAL
            receiving.record_final(message, report, Status.UNRESOLVED)
            return PollOutcome.UNRESOLVED

    try:
        outcome = db_retry.retry_on_contention(end, using=using)
    except receiving.WriteConflict as exc:  # its claim runs out, and it is given up then
        logger.warning("Message %s could not be given up: %s", message.pk, exc)
        outcome = PollOutcome.STILL_PENDING
    return PollResult(message, outcome, error)


def _note_refusal(account: str, error: str, *, fetcher: StatusFetcher, now: datetime) -> None:
    """Note and log once that an account is not asked for any more."""
    if account not in fetcher.noted:
        fetcher.noted.add(account)
        accounts.record_poll(account, now=now, error=error)
        logger.error("Polling of account %s was stopped: %s", account, error)


def _record(request: StatusRequest, reports: list[Report | None]) -> dict[SmsMessage, bool]:
    """Record reports; return the messages that they are about, and whether that was the end of each."""
    told: dict[SmsMessage, list[Status | None]] = {}
    # What says most first: what one channel failed to deliver is no failure where another has delivered it.
    known = [(Status.from_report(report) if report else None, report) for report in reports]
    for status, report in sorted(known, key=lambda pair: -1 if pair[0] is None else pair[0].rank, reverse=True):
        if report is None:  # about one that is still under way, on which a whole omnimessage's end waits
            told |= {whole: [*told.get(whole, []), None] for whole in _wholes(request)}
            continue
        for message in _about(request, report):
            try:
                recorded = receiving.record(report, account=message.account, message_pk=message.pk)
            except receiving.ReportNotForMessage:
                continue
            except receiving.WriteConflict as exc:  # it will be asked about again
                logger.warning("The answer about message %s could not be written: %s", message.pk, exc)
                continue
            stands = True
            if recorded is receiving.RecordResult.DUPLICATE and status is not None and status.is_final:
                # It may be another row's, or have told nothing to a release that did not know its word.
                stands = lookup.messages().filter(pk=message.pk, rank__gte=Status.UNRESOLVED.rank).exists()
            told.setdefault(message, []).append(status if stands else None)
    return {message: _is_end(statuses) for message, statuses in told.items()}


def _is_end(told: list[Status | None]) -> bool:
    """Tell whether a message has ended, to which one status was told, or those of an omnimessage's channels."""
    return any(status is not None and status.is_delivery for status in told) or all(
        status is not None and status.is_final for status in told
    )


def _about(request: StatusRequest, report: Report) -> list[SmsMessage]:
    """Return the rows that a report is about: its id's or, where that has none, those of the whole omnimessage."""
    claimed = [message for message in request.messages if message.sms_unique_id == report.sms_unique_id]
    if claimed or not request.messages[0].omnimessage_id:
        return claimed
    # Another channel's message of the same omnimessage, which was not claimed with this one.
    rows = lookup.messages().select_related("pending").filter(pending__isnull=False, account=request.account)
    sibling = rows.of_omnimessage(request.messages[0].omnimessage_id).filter(sms_unique_id=report.sms_unique_id)
    return list(sibling) or _wholes(request)


def _wholes(request: StatusRequest) -> list[SmsMessage]:
    """Return the rows that stand for the whole omnimessage."""
    return [message for message in request.messages if message.sms_unique_id is None]
