"""What becomes of messages when their question is answered, or not: recorded, asked about again, or given up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import accounts, conf, ledger, retries
from django_messente_dlr.ledger import finding
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import PendingReport, SmsMessage
from django_messente_dlr.plans import PARAMETER
from django_messente_dlr.polling.asking import Asker, Question
from django_messente_dlr.polling.pace import NotAsked
from django_messente_dlr.schedule import WINDOW, next_question
from django_messente_dlr.statements import assignments, conditions, parameters, table
from django_messente_dlr.statuses import Status, status_of

logger = logging.getLogger(__name__)

NO_REPORT = "Messente told nothing final within its 48 hours."
NAMELESS = "Nothing final was heard within 48 hours, and nobody could ask: Messente's answer with its id got lost."
UNCONFIGURED = "Nothing final was heard within 48 hours, and nobody could ask: its account is configured no more."
# How long a message waits for its account to be configured again.
ACCOUNT_AWAITED = timedelta(hours=1)


class Outcome(TextChoices):
    """What a poll did to one message."""

    FINAL = "final", _("Its end is known.")
    OPEN = "open", _("Nothing final is known yet; it will be asked about again.")
    UNRESOLVED = "unresolved", _("Messente told nothing final within its 48 hours.")
    REFUSED = "refused", _("Messente refuses the account.")
    NOT_ASKED = "not_asked", _("Messente was not asked.")


ENDED = frozenset({Outcome.FINAL, Outcome.UNRESOLVED})


@dataclass(frozen=True, slots=True)
class Result:
    """What a poll did to one message.

    Attributes:
        message: its row as it was claimed.
        outcome: what was done.
        error: why the question was not asked, or not answered, in a sentence; "" where it was.
        again_at: when it is to be asked about again, which `schedule` writes down; None where that is not for us.
    """

    message: SmsMessage
    outcome: Outcome
    error: str = ""
    again_at: datetime | None = None


def take(question: Question, answer: Callable[[], list[Report]], *, asker: Asker) -> list[Result]:
    """Do what the answer to a question asks for, and return what that was for each message.

    When to ask about a message again is left to `schedule`, which has it written down for many at once.

    Args:
        question: the question.
        answer: returns the answer, or raises what went wrong.
        asker: who asked.
    """
    now = timezone.now()
    try:
        reports = answer()
    except NotAsked as exc:
        return put_off(question.messages, exc, now=now)
    except (errors.CredentialsRefused, errors.AddressRefused) as exc:
        _note_refusal(question.account, str(exc), asker=asker, now=now)
        return [Result(message, Outcome.REFUSED, str(exc)) for message in question.messages]
    except errors.UnknownMessage:  # no failure, only nothing new: not known yet, or not any more
        return [later(message, now=now) for message in question.messages]
    except errors.MessenteError as exc:
        logger.warning("No answer about message %s: %s", ", ".join(str(m.pk) for m in question.messages), exc)
        return [later(message, now=now, error=str(exc)) for message in question.messages]
    ended = _record(question, reports)
    messages = {message.pk: message for message in (*question.messages, *ended)}
    return [
        Result(message, Outcome.FINAL) if ended.get(message) else later(message, now=now)
        for message in messages.values()
    ]


def later(message: SmsMessage, *, now: datetime, error: str = "") -> Result:
    """Decide when to ask again about a message that was asked about or, after 48 hours, that nobody will."""
    closes = _closes(message)
    if now >= closes:
        return _give_up(message, NO_REPORT, polls=message.poll_count + 1, error=error)
    at = next_question(now=now, closes=closes, polls=message.poll_count)
    return Result(message, Outcome.OPEN, error, again_at=at)


def unasked(message: SmsMessage, *, now: datetime) -> Result:
    """Decide how long a message waits about which nobody can be asked: for its id or its account, or no longer."""
    closes = _closes(message)
    is_ours = message.account in conf.accounts()
    if now >= closes:
        return _give_up(message, NAMELESS if is_ours else UNCONFIGURED, polls=message.poll_count)
    # Its id comes with a report, or when it is entered: then it is asked about in any case.
    at = closes if is_ours else min(closes, now + ACCOUNT_AWAITED)
    return Result(message, Outcome.NOT_ASKED, again_at=at)


def _closes(message: SmsMessage) -> datetime:
    """Return when Messente forgets what it knows of a message."""
    return (message.sent_at or message.created_at) + WINDOW


def _give_up(message: SmsMessage, why: str, *, polls: int, error: str = "") -> Result:
    report = Report(source=Source.POLL, error_text=why, payload={"polls": polls})
    using = router.db_for_write(SmsMessage)

    def end() -> Outcome:
        with transaction.atomic(using=using):
            rows = finding.messages().select_for_update().only("created_at", "sent_at", "rank")
            row = rows.filter(pk=message.pk).first()
            # It may have been sent since it was claimed: then its 48 hours have only begun.
            if row is None or timezone.now() < _closes(row):
                return Outcome.OPEN
            if row.rank > Status.UNRESOLVED.rank:  # failed by one channel, and no other has told of its end
                return Outcome.FINAL
            ledger.record_end(message, report, Status.UNRESOLVED)
            return Outcome.UNRESOLVED

    try:
        outcome = retries.patiently(end, using=using)
    except ledger.Contended as exc:  # its claim runs out, and it is given up then
        logger.warning("Message %s could not be given up: %s", message.pk, exc)
        outcome = Outcome.OPEN
    return Result(message, outcome, error)


def schedule(results: Iterable[Result]) -> None:
    """Write down when messages are to be asked about again, those of all results in one go."""
    using = router.db_for_write(SmsMessage)
    connection = connections[using]
    told = sorted(results, key=lambda result: result.message.pk)  # in one order, so that no two wait for each other
    asked = [result.message for result in told if result.again_at and result.outcome is not Outcome.NOT_ASKED]
    listed = [result for result in told if result.message.next_poll_at is not None]
    counting, postponing, ending = _reschedule(using)
    # Only where its row says what our claim has written. A message that has become final meanwhile is not in this
    # list any more; one that was sent meanwhile, or whose claim has run out, is to be asked about when that says.
    statements = [
        (counting, [[message.poll_count + 1, message.pk] for message in asked]),
        (
            postponing,
            [_of_row(connection, result.message, due_at=result.again_at) for result in listed if result.again_at],
        ),
        # The ledger has taken them from the list. Whatever may leave one there, it is not asked about for ever.
        (ending, [_of_row(connection, result.message) for result in listed if result.outcome in ENDED]),
    ]
    with connection.cursor() as cursor:
        for statement, values in statements:
            if values:
                cursor.executemany(statement, values)


def put_off(messages: Collection[SmsMessage], reason: NotAsked, *, now: datetime) -> list[Result]:
    """Have messages that were claimed in vain asked about as if they had not been, but not before they may be."""
    if reason.again_in is not None:
        at = now + timedelta(seconds=reason.again_in)
        # Unless their claim has run out, and they are another's by now. One claim has one end.
        for until in {message.next_poll_at for message in messages}:
            if until is None:
                continue
            ours = [message.pk for message in messages if message.next_poll_at == until]
            finding.pending().filter(pk__in=ours, due_at=until).update(due_at=at)
    return [Result(message, Outcome.NOT_ASKED, str(reason)) for message in messages]


@cache
def _reschedule(using: str) -> tuple[str, str, str]:
    """Return the SQL that counts a question, says when the next is due, and that there is none."""
    counted = assignments(using, SmsMessage, (("poll_count", PARAMETER),))
    message = conditions(using, SmsMessage, (("id", PARAMETER),))
    due = assignments(using, PendingReport, (("due_at", PARAMETER),))
    ours = conditions(using, PendingReport, (("message_id", PARAMETER), ("due_at", PARAMETER)))
    return (
        f"UPDATE {table(using, SmsMessage)} SET {counted} WHERE {message}",  # noqa: S608 - all of it is our own
        f"UPDATE {table(using, PendingReport)} SET {due} WHERE {ours}",  # noqa: S608
        f"DELETE FROM {table(using, PendingReport)} WHERE {ours}",  # noqa: S608
    )


def _of_row(connection: BaseDatabaseWrapper, message: SmsMessage, **changes: Any) -> list[Any]:
    """Return parameters: changes, and what a row of the list says if it is still as we have claimed it."""
    ours = {"message_id": message.pk, "due_at": message.next_poll_at}
    return parameters(connection, PendingReport, changes) + parameters(connection, PendingReport, ours)


def _note_refusal(account: str, error: str, *, asker: Asker, now: datetime) -> None:
    """Note and log once that an account is not asked for any more."""
    if account not in asker.noted:
        asker.noted.add(account)
        accounts.note_poll(account, now=now, error=error)
        logger.error("Polling of account %s was stopped: %s", account, error)


def _record(question: Question, reports: list[Report]) -> dict[SmsMessage, bool]:
    """Record reports; return the messages that they are about, and whether that was the end of each."""
    told: dict[SmsMessage, list[Status | None]] = {}
    for report in reports:
        status = status_of(report)
        for message in _about(question, report):
            try:
                recorded = ledger.record(report, account=message.account, named=message.pk)
            except ledger.ForeignReport:
                continue
            except ledger.Contended as exc:  # it will be asked about again
                logger.warning("The answer about message %s could not be written: %s", message.pk, exc)
                continue
            if recorded is ledger.Recorded.REPEATED and status is not None and status.is_final:
                # It may be another row's, or have told nothing to a release that did not know its word.
                ended = finding.messages().filter(pk=message.pk, rank__gte=Status.UNRESOLVED.rank).exists()
                status = status if ended else None
            told.setdefault(message, []).append(status)
    return {message: _is_end(statuses) for message, statuses in told.items()}


def _is_end(told: list[Status | None]) -> bool:
    """Tell whether a message has ended, to which one status was told, or those of an omnimessage's channels."""
    return any(status is not None and status.is_delivery for status in told) or all(
        status is not None and status.is_final for status in told
    )


def _about(question: Question, report: Report) -> list[SmsMessage]:
    """Return the rows that a report is about: its id's or, where that has none, those of the whole omnimessage."""
    claimed = [message for message in question.messages if message.sms_unique_id == report.sms_unique_id]
    if claimed or not question.messages[0].omnimessage_id:
        return claimed
    # Another channel's message of the same omnimessage, which was not claimed with this one.
    rows = finding.messages().select_related("pending").filter(pending__isnull=False, account=question.account)
    sibling = rows.of_omnimessage(question.messages[0].omnimessage_id).filter(sms_unique_id=report.sms_unique_id)
    return list(sibling) or [message for message in question.messages if message.sms_unique_id is None]
