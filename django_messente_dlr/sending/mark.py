"""Store the id that Messente returned for a message, with `mark_sent`."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import IntegrityError, router
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import rows
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at
from django_messente_dlr.utils.times import to_db_datetime


def mark_sent(
    message: SmsMessage, sms_unique_id: str = "", *, omnimessage_id: str = "", sent_at: datetime | None = None
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

    Raises:
        ValueError: no id is given, the id belongs to another message, or the message has another id.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
    """
    ids = rows.validate_ids(sms_unique_id, omnimessage_id)
    sent_at = to_db_datetime(sent_at or timezone.now())
    confirm = partial(receiving.confirm_sent, message, next_poll_at=first_poll_at(sent_at), sent_at=sent_at, **ids)
    try:
        is_confirmed = db_retry.retry_on_contention(confirm, using=router.db_for_write(SmsMessage))
    except IntegrityError:
        raise ValueError(f"The id {sms_unique_id} already belongs to another message.") from None
    if not is_confirmed:
        raise ValueError(
            f"Message {message.pk} was already sent with the id {message}. Call prepare_sms for each message that "
            "you send, and pass the message that it returned to mark_sent."
        )
    return message
