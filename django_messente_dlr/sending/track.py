"""`track_sms`: how a message that was sent already, and by somebody else, enters the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import accounts, conf, receiving
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import rows
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at


def track_sms(
    sms_unique_id: str = "",
    *,
    recipient: str = "",
    sender: str = "",
    omnimessage_id: str = "",
    account: str = conf.DEFAULT_ACCOUNT,
    channel: str = "sms",
    metadata: Mapping[str, Any] | None = None,
    sent_at: datetime | None = None,
) -> SmsMessage:
    """Enter a message that was sent already and is known by its id alone; return it, or the one with that id.

    Args:
        sms_unique_id: the id that Messente gave it.
        recipient: the recipient's number, where known.
        sender: the sender's name, where known.
        omnimessage_id: the id of the omnimessage that it belongs to.
        account: the account's name in ``MESSENTE_DLR``.
        channel: sms, viber, whatsapp, rcs …
        metadata: whatever you want to find on the message again; must be JSON.
        sent_at: when it was sent; None for now. Messente keeps reports for 48 hours from then.

    Raises:
        ValueError: there is no id, or it is a message of another account.
        ImproperlyConfigured: there is no such account.
        IntegrityError: somebody else has entered it since the transaction around this call began, which cannot see
            that (REPEATABLE READ on PostgreSQL). Do that transaction again.
    """
    conf.account(account)
    ids = rows.validate_ids(sms_unique_id, omnimessage_id)
    sms_unique_id, omnimessage_id = ids.get("sms_unique_id", ""), ids.get("omnimessage_id", "")
    at = sent_at or timezone.now()
    message = rows.build_message(
        recipient, text="", sender=sender, account=account, metadata=metadata, channel=channel, optional=True
    )
    if (known := rows.find_existing(sms_unique_id, omnimessage_id, account)) is not None:
        return known
    using = router.db_for_write(SmsMessage)

    def enter() -> SmsMessage:
        message.pk = None  # what an attempt before was given is somebody else's by now, perhaps
        with transaction.atomic(using=using):
            if not sms_unique_id:
                # Nothing in the table is unique about an omnimessage: one at a time looks, and enters it.
                accounts.lock(account)
                if (entered := rows.find_existing("", omnimessage_id, account, lock=True)) is not None:
                    return entered
            rows.insert(message, using=using)
            receiving.confirm_sent(message, next_poll_at=first_poll_at(at), sent_at=at, **ids)
        return message

    try:
        return db_retry.retry_on_contention(enter, using=using)
    except IntegrityError:  # somebody else has tracked it since we looked
        with transaction.atomic(using=using):
            known = rows.find_existing(sms_unique_id, omnimessage_id, account, lock=True)
        if known is None:
            raise
        return known
