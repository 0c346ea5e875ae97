"""Record messages that another client has already sent, with `track_sms`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import conf, receiving
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.accounts import TrackingLock
from django_messente_dlr.sending import rows
from django_messente_dlr.sending.values import validity_seconds
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at
from django_messente_dlr.utils.times import to_db_datetime


def track_sms(
    sms_unique_id: str = "",
    *,
    recipient: str = "",
    sender: str = "",
    omnimessage_id: str = "",
    account: str | None = None,
    channel: str = "sms",
    metadata: Mapping[str, Any] | None = None,
    sent_at: datetime | None = None,
    validity: int | timedelta | None = None,
) -> SmsMessage:
    """Record a message that was already sent, and return it.

    If a message with this id exists, it is returned unchanged, and the other arguments are not used.

    Args:
        sms_unique_id: the id that Messente returned.
        recipient: the recipient's number, if it is known.
        sender: the sender's name, if it is known.
        omnimessage_id: the id of the omnimessage to which the message belongs.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        channel: the channel, such as sms, viber, whatsapp or rcs.
        metadata: data of your project to store with the message; must be serializable as JSON.
        sent_at: when the message was sent; None for now. A time without a time zone is local, in ``TIME_ZONE``.
        validity: as for `mark_sent`. The report expires 48 hours after it: see ``report_expires_at``.

    Raises:
        ValueError: no id is given, the id belongs to a message of another account, or a value is malformed.
        TypeError: ``validity`` is neither an integer nor a timedelta, or a text is not one.
        ImproperlyConfigured: the account is not configured.
        IntegrityError, OperationalError: another process recorded the message after the transaction around this call
            began, and the isolation level hides that row (REPEATABLE READ on PostgreSQL). Run the transaction again.
    """
    account = conf.account(account).name
    ids: dict[str, Any] = rows.validate_ids(sms_unique_id, omnimessage_id)
    sms_unique_id, omnimessage_id = ids.get("sms_unique_id", ""), ids.get("omnimessage_id", "")
    effective_sent_at = to_db_datetime(sent_at or timezone.now())
    message = rows.build_message(
        recipient,
        text="",
        sender=sender,
        account=account,
        metadata=metadata,
        channel=channel,
        optional=True,
        validity=None if validity is None else validity_seconds(validity),
    )
    if (existing := rows.find_existing(sms_unique_id, omnimessage_id, account)) is not None:
        return existing
    using = router.db_for_write(SmsMessage)

    def insert_sent() -> SmsMessage:
        message.pk = None  # a rolled-back attempt set a primary key that another row may have by now
        with transaction.atomic(using=using):
            if not sms_unique_id:
                # No unique constraint covers an omnimessage id. The lock prevents a second row.
                _lock(account, using=using)
                if (existing := rows.find_existing("", omnimessage_id, account, lock=True)) is not None:
                    return existing
            rows.insert(message, using=using)
            next_poll_at = first_poll_at(effective_sent_at)
            receiving.confirm_sent(message, next_poll_at=next_poll_at, sent_at=effective_sent_at, columns=None, **ids)
        return message

    try:
        return db_retry.retry_on_contention(insert_sent, using=using)
    except IntegrityError:  # another process inserted the message after the first query
        with transaction.atomic(using=using):
            existing = rows.find_existing(sms_unique_id, omnimessage_id, account, lock=True)
        if existing is None:
            raise
        return existing


def _lock(account: str, *, using: str) -> None:
    """Let no other process track an omnimessage of an account until the transaction ends."""
    rows = TrackingLock.objects.using(using)
    if not rows.filter(account=account).exists():
        # Not get_or_create: if another process inserts the row first, it reads again, and in a transaction with
        # REPEATABLE READ it does not see that row.
        rows.bulk_create([TrackingLock(account=account)], ignore_conflicts=True)
    # Not select_for_update: with REPEATABLE READ on PostgreSQL, the process that has waited would not see the message
    # of the other one, and insert a second. A changed row makes the database abort it, and it is repeated.
    rows.filter(account=account).update(account=account)
