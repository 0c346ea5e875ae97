"""Record what another client did with a message: `mark_sent` with its id, `mark_failed` after a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.backends.base import LOCAL_ID_PREFIX
from django_messente_dlr.messente.channel_values import clean_text
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.error_texts import MAX_ANSWER
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import rows
from django_messente_dlr.sending.values import validity_seconds
from django_messente_dlr.utils import db_retry, masking
from django_messente_dlr.utils.poll_schedule import first_poll_at
from django_messente_dlr.utils.times import to_db_datetime

MAX_CHANNELS = 32767  # the limit of the column on every database


def mark_sent(
    message: SmsMessage,
    sms_unique_id: str = "",
    *,
    omnimessage_id: str = "",
    sent_at: datetime | None = None,
    validity: int | timedelta | None = None,
    channel_count: int | None = None,
) -> SmsMessage:
    """Store the id that Messente returned for a message, mark the message as sent, and match its orphan reports.

    A status that a report has already set is kept. A second call with the same id changes nothing. An id that was
    missing is added. Unsaved changes of the message are kept, and are not saved.

    Args:
        message: the message that `prepare_sms` returned. Its delivery state is updated.
        sms_unique_id: the id that Messente's ``send_sms`` returned, or an Omnichannel ``message_id``. Omit it for an
            omnimessage with several channels: all reports of the omnimessage then belong to this message.
        omnimessage_id: the id of the omnimessage, which polling uses to request its status.
        sent_at: the time at which Messente sends the message, if you scheduled it; None for now. A time without a
            time zone is local, in ``TIME_ZONE``. The first call sets it.
        validity: how long Messente tries to deliver the message, all of its channels together: whole minutes, or a
            timedelta. Reports are expected until 48 hours after it. None if the client did not set it: 6 hours.
        channel_count: the number of channels of the omnimessage, from Messente's answer; None if it is not known. The
            message has failed when this number of channels has failed.

    Raises:
        ValueError: no id is given, ``validity`` is not positive or longer than a year, ``channel_count`` is not a
            number of channels, the id belongs to another message, or the message has another id.
        TypeError: ``validity`` is neither an integer nor a timedelta.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
    """
    ids = rows.validate_ids(sms_unique_id, omnimessage_id)
    columns = {} if channel_count is None else {"channel_count": _checked_count(channel_count)}
    if validity is not None:
        columns["validity"] = validity_seconds(validity)
    return confirm(message, ids, sent_at=sent_at, columns=columns, may_be_queued=True)


def mark_failed(message: SmsMessage, reason: str, *, temporary: bool = False) -> SmsMessage:
    """Record that another client did not send a message, because Messente refused it or was not reached. Return it.

    The status becomes ``failed``, and ``dlr_failed`` is sent. A second call with the same reason changes nothing. If
    the outcome is unknown, do not call it: a message that is sent nevertheless would be sent twice.

    Args:
        message: the message that `prepare_sms` returned. Its delivery state is updated.
        reason: why it was not sent, such as the text of the client's exception. Phone numbers in it are masked.
        temporary: whether the same message may succeed later: ``temporary`` of ``dlr_failed``.

    Raises:
        ValueError: the message is already sent with an id, or the reason is empty.
        TypeError: the reason is not a text.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
    """
    text = clean_text(reason, name="reason").strip()
    if not text:
        raise ValueError("The reason is empty. Pass why the message was not sent, such as str(exception).")
    answer = one_line(masking.mask_in_text(text), limit=MAX_ANSWER)
    report = Report(source=Source.SEND, error_text=answer, payload={"answer": answer, "temporary": bool(temporary)})
    using = router.db_for_write(SmsMessage)

    def write() -> None:
        with transaction.atomic(using=using):
            # With a lock, so that neither mark_sent nor a report stores an id meanwhile.
            receiving.reload(message, lock=True)
            if message.sms_unique_id or message.omnimessage_id:
                raise ValueError(f"Message {message.pk} was already sent with the id {message}, so it did not fail.")
            receiving.record_final(message, report, Status.FAILED)
            receiving.reload(message)

    db_retry.retry_on_contention(write, using=using)
    return message


def confirm_batch(ids: Mapping[int, Mapping[str, str]]) -> set[int]:
    """Store the ids of messages that Messente has sent just now; return the primary keys of those that are recorded.

    See `receiving.confirm_sent_batch`.

    Args:
        ids: by the primary key of the message, its ids, as `rows.validate_ids` returned them.
    """
    unpolled = [pk for pk, values in ids.items() if _is_local(values)]
    return receiving.confirm_sent_batch(ids, sent_at=to_db_datetime(timezone.now()), unpolled=unpolled)


def confirm(
    message: SmsMessage,
    ids: Mapping[str, str],
    *,
    sent_at: datetime | None,
    columns: Mapping[str, Any],
    may_be_queued: bool = False,
) -> SmsMessage:
    """Store what Messente answered, as `mark_sent` does.

    Args:
        message: the message.
        ids: the ids, as `rows.validate_ids` returned them.
        sent_at: the time at which Messente sends the message; None for now.
        columns: further columns of `receiving.confirm_sent`.
        may_be_queued: whether the message may have a row in the send queue, which is then deleted.

    Raises:
        ValueError: the id belongs to another message, or the message has another id.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
    """
    sent_at = to_db_datetime(sent_at or timezone.now())
    write = partial(
        receiving.confirm_sent,
        message,
        # Messente does not know the messages of the other backends.
        next_poll_at=None if _is_local(ids) else first_poll_at(sent_at),
        sent_at=sent_at,
        columns=columns,
        may_be_queued=may_be_queued,
        **ids,
    )
    try:
        is_confirmed = db_retry.retry_on_contention(write, using=router.db_for_write(SmsMessage))
    except IntegrityError:
        raise ValueError(f"The id {ids.get('sms_unique_id')} already belongs to another message.") from None
    if not is_confirmed:
        raise ValueError(
            f"Message {message.pk} was already sent with the id {message}. Call prepare_sms for each message that "
            "you send, and pass the message that it returned to mark_sent."
        )
    return message


def _is_local(ids: Mapping[str, str]) -> bool:
    return any(value.startswith(LOCAL_ID_PREFIX) for value in ids.values())


def _checked_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_CHANNELS:
        raise ValueError(f"channel_count must be a number of channels from 1 to {MAX_CHANNELS}, not {value!r}.")
    return value
