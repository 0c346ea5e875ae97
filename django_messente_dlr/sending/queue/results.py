"""Record Messente's answers about messages that a worker has sent: a message leaves the queue, or waits again."""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from django.db import Error, router, transaction
from django.db.models import F
from django.utils import timezone

from django_messente_dlr import conf, receiving
from django_messente_dlr.accounts.clients import REFUSED_ACCOUNT_PAUSE
from django_messente_dlr.backends.base import OutgoingMessage, SendResult
from django_messente_dlr.exceptions import MessageNotSent, OutcomeUnknown
from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import mark, rows
from django_messente_dlr.sending.queue.claims import queue
from django_messente_dlr.sending.queue.requests import ACCOUNT_ERRORS, Answer, Item, delay_after
from django_messente_dlr.sending.transmit import record_accepted, record_refusal
from django_messente_dlr.utils import db_retry, masking
from django_messente_dlr.utils.rate_limiter import RequestSkipped
from django_messente_dlr.utils.times import shift

logger = logging.getLogger(__name__)

# The greatest number of answers in one transaction: reports wait for its rows, two seconds at most. A bulk request
# has up to a thousand answers.
MAX_BATCH = 50


class SendOutcome(enum.Enum):
    """The result of one attempt to send a queued message.

    ``SENT`` and ``REFUSED`` remove the message from the queue, as ``FAILED`` does after the last attempt.
    ``POSTPONED`` and ``NOT_REQUESTED`` messages wait in the queue. An ``UNKNOWN`` one is never sent again.
    """

    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"
    POSTPONED = "postponed"
    NOT_REQUESTED = "not requested"
    UNKNOWN = "unknown"


def record_all(answers: Sequence[tuple[Item, Answer]]) -> list[SendOutcome]:
    """Record answers, and return the outcomes in their order.

    A call that is repeated after an error of the database changes nothing that is recorded already.

    Args:
        answers: the messages with the answers.
    """
    batches = (answers[start : start + MAX_BATCH] for start in range(0, len(answers), MAX_BATCH))
    return [outcome for batch in batches for outcome in _record_batch(batch)]


def _record_batch(answers: Sequence[tuple[Item, Answer]]) -> list[SendOutcome]:
    """Record answers in one transaction or, if that fails, each in its own."""
    # An error, such as a deadlock, rolls back all of them.
    with suppress(Error), transaction.atomic(using=router.db_for_write(QueuedMessage)):
        accepted = _record_expected(answers)
        return [SendOutcome.SENT if item.row.pk in accepted else record(item, answer) for item, answer in answers]
    return [record(item, answer) for item, answer in answers]


def _record_expected(answers: Sequence[tuple[Item, Answer]]) -> set[int]:
    """Record most accepted messages of one SMS that was sent at once; return their primary keys."""
    ids: dict[int, Mapping[str, str]] = {}
    for item, answer in answers:
        is_plain = item.outgoing is not None and item.outgoing.send_at is None and not item.row.message.channels
        if is_plain and isinstance(answer, SendResult) and answer.sms_unique_id:
            with suppress(ValueError):  # `record` logs that the id is not usable
                ids[item.row.pk] = rows.validate_ids(answer.sms_unique_id, answer.omnimessage_id)
    return mark.confirm_batch(ids) if ids else set()


def record(item: Item, answer: Answer) -> SendOutcome:
    """Record the answer about one message, and return its outcome.

    Args:
        item: the message.
        answer: Messente's answer, or why there is none.
    """
    message = item.row.message
    if isinstance(answer, SendResult) and item.outgoing is not None:
        return _record_accepted(message, item.outgoing, answer)
    if isinstance(answer, RequestSkipped):
        keep(item, delay=timedelta(seconds=answer.again_in or 0.0), attempts=0)
        return SendOutcome.NOT_REQUESTED
    if isinstance(answer, MessageNotSent):
        return _record_not_sent(item, answer)
    logger.error(
        "The outcome of sending message %s is unknown, so it is not sent again: %s",
        message.pk,
        masking.mask_in_text(str(answer)),
        exc_info=None if isinstance(answer, OutcomeUnknown | SendResult) else answer,
    )
    return SendOutcome.UNKNOWN


def keep(item: Item, *, delay: timedelta, attempts: int) -> None:
    """Let a message that was certainly not sent wait in the queue, unless a report has decided about it meanwhile.

    Args:
        item: the message.
        delay: when it is due again.
        attempts: the number of attempts to count.
    """
    row, using = item.row, router.db_for_write(QueuedMessage)

    def write() -> None:
        with transaction.atomic(using=using):
            ours = queue().filter(pk=row.pk, attempted_at=row.attempted_at, leased_until=row.leased_until)
            due_at = shift(timezone.now(), delay)
            if ours.update(attempted_at=None, leased_until=None, due_at=due_at, attempts=F("attempts") + attempts):
                PendingPoll.objects.using(using).filter(pk=row.pk).delete()

    db_retry.retry_on_contention(write, using=using)


def _record_accepted(message: SmsMessage, outgoing: OutgoingMessage, result: SendResult) -> SendOutcome:
    try:
        record_accepted(message, outgoing, result, may_be_queued=True)
    except SmsMessage.DoesNotExist:
        logger.warning("Message %s was sent and is not stored any more.", message.pk)
    except ValueError as exc:
        logger.error("Messente accepted message %s, but the id in its response is not usable: %s", message.pk, exc)  # noqa: TRY400
        return SendOutcome.UNKNOWN
    return SendOutcome.SENT


def _record_not_sent(item: Item, error: MessageNotSent) -> SendOutcome:
    """Record a refusal, or let the message wait if the reason is temporary or concerns the whole account."""
    attempts = item.row.attempts + 1
    if isinstance(error.__cause__, ACCOUNT_ERRORS):
        keep(item, delay=REFUSED_ACCOUNT_PAUSE, attempts=0)
        return SendOutcome.POSTPONED
    if error.temporary and attempts < conf.get_config().queue_max_attempts:
        keep(item, delay=delay_after(attempts, retry_after=error.retry_after), attempts=1)
        logger.warning("Message %s was not sent, and is tried again: %s", item.row.pk, error)
        return SendOutcome.POSTPONED
    try:
        record_refusal(item.row.message, error)
    except receiving.WriteConflict:
        logger.exception("Message %s was not sent, but this could not be stored.", item.row.pk)
        return SendOutcome.UNKNOWN
    return SendOutcome.FAILED if error.temporary else SendOutcome.REFUSED
