"""Process the response to a status request: record reports, reschedule the message or mark it unresolved."""

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
from django_messente_dlr.models.error_texts import NO_ACCOUNT, NO_ID, NO_REPORT, untranslated
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling.results import PollOutcome, PollResult, postpone
from django_messente_dlr.polling.status_requests import StatusFetcher, StatusRequest
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry, masking
from django_messente_dlr.utils.poll_schedule import PREPARED_INTERVAL, next_poll_at
from django_messente_dlr.utils.rate_limiter import RequestSkipped
from django_messente_dlr.utils.times import shift

logger = logging.getLogger(__name__)

# How often a message of an account that is not configured is checked again.
ACCOUNT_CHECK_INTERVAL = timedelta(hours=1)


def process_response(
    request: StatusRequest, response: Callable[[], list[Report | None]], *, fetcher: StatusFetcher
) -> list[PollResult]:
    """Record the reports of a response, and return a result for each message.

    The time of the next poll is only in the results: `save_schedule` stores it for many messages at once.

    Args:
        request: the request.
        response: returns the reports, or raises the error of the request.
        fetcher: sent the request.
    """
    now = timezone.now()
    try:
        reports = response()
    except RequestSkipped as exc:
        return postpone(request.messages, exc, now=now)
    except (errors.CredentialsRefused, errors.IpAddressRefused) as exc:
        _record_refusal(request.account, exc, fetcher=fetcher, now=now)
        return [PollResult(message, PollOutcome.REFUSED, _without_numbers(exc)) for message in request.messages]
    except errors.UnknownMessage:  # not a failure: Messente does not know the message yet, or not any more
        return [reschedule(message, now=now) for message in request.messages]
    except errors.MessenteError as exc:
        error, keys = _without_numbers(exc), ", ".join(str(message.pk) for message in request.messages)
        logger.warning("The status of message %s could not be requested: %s", keys, error)
        return [reschedule(message, now=now, error=error) for message in request.messages]
    is_final = record_reports(request, reports)
    messages = {message.pk: message for message in (*request.messages, *is_final)}
    return [
        PollResult(message, PollOutcome.FINAL) if is_final.get(message) else reschedule(message, now=now)
        for message in messages.values()
    ]


def reschedule(message: SmsMessage, *, now: datetime, error: str = "") -> PollResult:
    """Return when to poll a message again that was polled or, if its report has expired, mark it unresolved."""
    expires_at = message.report_expires_at
    if expires_at is None:
        return reschedule_unpollable(message, now=now)
    if now >= expires_at:
        return _mark_unresolved(message, NO_REPORT, polls=message.poll_count + 1, error=error)
    # A user may poll a scheduled message before Messente sends it.
    starts_at = max(now, message.effective_send_at or now)
    poll_at = next_poll_at(now=starts_at, expires_at=expires_at, polls=message.poll_count)
    return PollResult(message, PollOutcome.STILL_PENDING, error, next_poll_at=poll_at)


def reschedule_unpollable(message: SmsMessage, *, now: datetime) -> PollResult:
    """Return when to check a message again that has no id or no account, or mark it unresolved.

    A message that is not sent yet is checked again, however old it is: it has no report that could expire.
    """
    expires_at = message.report_expires_at
    if expires_at is None:
        return PollResult(message, PollOutcome.NOT_ASKED, next_poll_at=shift(now, PREPARED_INTERVAL))
    is_configured = message.account in conf.accounts()
    if now >= expires_at:
        return _mark_unresolved(message, NO_ID if is_configured else NO_ACCOUNT, polls=message.poll_count)
    # A report or mark_sent stores the id, and makes the message due earlier than this.
    check_at = expires_at if is_configured else min(expires_at, shift(now, ACCOUNT_CHECK_INTERVAL))
    return PollResult(message, PollOutcome.NOT_ASKED, next_poll_at=check_at)


def _mark_unresolved(message: SmsMessage, reason: str, *, polls: int, error: str = "") -> PollResult:
    report = Report(source=Source.POLL, error_text=reason, payload={"polls": polls})
    using = router.db_for_write(SmsMessage)

    def write() -> PollOutcome:
        with transaction.atomic(using=using):
            rows = (
                lookup.messages()
                .select_for_update()
                .only(*("sms_unique_id", "omnimessage_id", "rank", "created_at", "sent_at", "send_at", "validity"))
            )
            row = rows.filter(pk=message.pk).first()
            # It may have been sent since it was claimed: then its time began with that.
            if row is None or row.report_expires_at is None or timezone.now() < row.report_expires_at:
                return PollOutcome.STILL_PENDING
            if row.rank > Status.UNRESOLVED.rank:  # failed on one channel, and no other is final
                return PollOutcome.FINAL
            receiving.record_final(message, report, Status.UNRESOLVED)
            return PollOutcome.UNRESOLVED

    try:
        outcome = db_retry.retry_on_contention(write, using=using)
    except receiving.WriteConflict as exc:  # the next poller tries again when the claim has expired
        logger.warning("Message %s could not be marked as unresolved: %s", message.pk, exc)
        outcome = PollOutcome.STILL_PENDING
    return PollResult(message, outcome, error)


def _without_numbers(error: errors.MessenteError) -> str:
    """Return the text of an error for logs and for all users. It can quote a response that contains a number."""
    return masking.mask_in_text(str(error))


def _record_refusal(account: str, error: errors.RequestRefused, *, fetcher: StatusFetcher, now: datetime) -> None:
    """Record and log once that Messente refuses an account."""
    if account not in fetcher.recorded_refusals:
        fetcher.recorded_refusals.add(account)
        accounts.record_poll(account, now=now, error=masking.mask_in_text(untranslated(error)))
        logger.error("Polling of account %s was stopped: %s", account, _without_numbers(error))


def record_reports(request: StatusRequest, reports: list[Report | None]) -> dict[SmsMessage, bool]:
    """Record reports; return the messages that they are about, and whether each is final."""
    statuses: dict[SmsMessage, list[Status | None]] = {}
    # The highest rank first: a failure on one channel does not count where another channel has delivered.
    pairs = [(Status.from_report(report) if report else None, report) for report in reports]
    for status, report in sorted(pairs, key=lambda pair: -1 if pair[0] is None else pair[0].rank, reverse=True):
        if report is None:  # a channel is pending, so the rows of the omnimessage as a whole are not final
            for message in _without_id(request):
                statuses.setdefault(message, []).append(None)
            continue
        for message in _messages_of(request, report):
            try:
                result = receiving.record(report, account=message.account, message_key=message.callback_key)
            except receiving.ReportNotForMessage:
                continue
            except receiving.WriteConflict as exc:  # the message is polled again
                logger.warning("The report about message %s could not be written: %s", message.pk, exc)
                continue
            is_applied = True
            if result is receiving.RecordResult.DUPLICATE and status is not None and status.is_final:
                # The first may be another row's, or changed nothing in an older release that did not know the word.
                is_applied = lookup.messages().filter(pk=message.pk, rank__gte=Status.UNRESOLVED.rank).exists()
            statuses.setdefault(message, []).append(status if is_applied else None)
    is_final = {message: _is_final(channels) for message, channels in statuses.items()}
    if all(status is not None and status.is_failure for status, report in pairs):
        # The failures of channels end a message only if no other channel can deliver it.
        listed = [report.sms_unique_id for report in reports if report is not None]
        is_final |= {
            message: receiving.settle_channels(message, listed=listed)
            for message in _without_id(request)
            if message in is_final
        }
    return is_final


def _is_final(channels: list[Status | None]) -> bool:
    """Return whether a message is final, given the status of each channel: one delivery, or all final."""
    return any(status is not None and status.is_delivery for status in channels) or all(
        status is not None and status.is_final for status in channels
    )


def _messages_of(request: StatusRequest, report: Report) -> list[SmsMessage]:
    """Return the rows with the id of a report or, if there is none, the rows of the omnimessage as a whole."""
    claimed = [message for message in request.messages if message.sms_unique_id == report.sms_unique_id]
    if claimed or not request.messages[0].omnimessage_id:
        return claimed
    # The row of another channel of the omnimessage, which was not claimed with this request.
    rows = lookup.messages().select_related("pending").filter(pending__isnull=False, account=request.account)
    siblings = rows.of_omnimessage(request.messages[0].omnimessage_id).filter(sms_unique_id=report.sms_unique_id)
    return list(siblings) or _without_id(request)


def _without_id(request: StatusRequest) -> list[SmsMessage]:
    """Return the rows without a message id, which are about an omnimessage as a whole."""
    return [message for message in request.messages if message.sms_unique_id is None]
