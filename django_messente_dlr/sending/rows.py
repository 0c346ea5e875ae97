"""Check a caller's values, and create the row of a message before Messente knows the message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import router, transaction
from django.utils import timezone

from django_messente_dlr import conf, receiving
from django_messente_dlr.exceptions import SendInsideTransaction
from django_messente_dlr.messente import field_parsers
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.recipients import recipient_number
from django_messente_dlr.sending.storable import storable_json, storable_text
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at

Result = TypeVar("Result")

IN_TRANSACTION = (
    "send_sms was called inside a transaction, so nothing was sent: a rollback would delete the row of a message "
    "that was sent. Call it after the commit, with transaction.on_commit(lambda: send_sms(…)), or from a view that "
    "is exempt from ATOMIC_REQUESTS."
)


def find_existing(sms_unique_id: str, omnimessage_id: str, account: str, *, lock: bool = False) -> SmsMessage | None:
    """Return the message that has these ids, or None.

    Args:
        sms_unique_id: the id of the message, or "".
        omnimessage_id: the id of the omnimessage. It is used only if ``sms_unique_id`` is "".
        account: the name of the account that must own the message.
        lock: whether to lock the row until the transaction ends. A locking read on MariaDB also returns a row that
            was committed after the transaction began.

    Raises:
        ValueError: the message with this ``sms_unique_id`` belongs to another account.
    """
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage))
    if lock:
        messages = messages.select_for_update()
    if sms_unique_id:
        message = messages.filter(sms_unique_id=sms_unique_id).first()
    else:
        message = messages.of_omnimessage(omnimessage_id).filter(sms_unique_id=None, account=account).first()
    if message is not None and message.account != account:
        raise ValueError(f'The id {sms_unique_id} belongs to a message of account "{message.account}".')
    return message


def build_message(
    to: str,
    *,
    text: str,
    sender: str,
    account: str,
    metadata: Mapping[str, Any] | None,
    channel: str = "sms",
    optional: bool = False,
    reference: str = "",
    **columns: Any,
) -> SmsMessage:
    """Return an unsaved message.

    Args:
        to: the recipient's number; see `parse_number`.
        text: the text. It is stored only if ``STORE_TEXT`` is set.
        sender: the sender's name, at most 32 characters.
        account: the account's name. The caller checks that it is configured.
        metadata: data of the project, stored as JSON.
        channel: the channel, such as sms, viber, whatsapp or rcs; at most 16 characters.
        optional: whether the number may be missing.
        reference: the project's own key, at most 128 characters.
        columns: further columns of the row.

    Raises:
        ValueError: the number is not a phone number, a text is too long, or a value cannot be stored.
        TypeError: the text, the sender, the channel or the reference is not a text.
    """
    # A number is optional only if it is missing: one that is malformed is a mistake of the caller.
    is_missing = optional and not str(to).strip()
    text = storable_text("text", text)
    return SmsMessage(
        recipient="" if is_missing else recipient_number(to),
        sender=storable_text("sender", sender, limit=32),
        text=text if conf.get_config().store_text else "",
        account=account,
        channel=storable_text("channel", channel, limit=16),
        metadata=storable_json("metadata", metadata),
        created_at=timezone.now(),
        reference=storable_text("reference", reference, limit=128),
        **columns,
    )


def insert(message: SmsMessage, *, using: str) -> None:
    """Insert a message and its `PendingPoll`, which schedules the first poll. Call it inside a transaction.

    Args:
        message: the unsaved message.
        using: the alias of the database.
    """
    message.may_lack_poll = False
    message.save(using=using, force_insert=True)
    message.pending = PendingPoll.objects.using(using).create(
        message=message, account=message.account, due_at=first_poll_at(message.send_at or message.created_at)
    )


def insert_with_matching(message: SmsMessage) -> SmsMessage:
    """Insert a message, and match its orphan reports after the commit.

    Args:
        message: the unsaved message.
    """
    using = router.db_for_write(SmsMessage)
    with transaction.atomic(using=using):
        insert(message, using=using)
        transaction.on_commit(lambda: receiving.match_orphans_of(message), using=using, robust=True)
    return message


def insert_durably(message: SmsMessage) -> SmsMessage:
    """Insert a message, and commit it immediately.

    Args:
        message: the unsaved message.

    Raises:
        SendInsideTransaction: a transaction is open, so the row cannot be committed.
    """

    def insert_again(using: str) -> None:
        message.pk = None  # a rolled-back attempt set a primary key that another row may have by now
        insert(message, using=using)

    write_durably(insert_again)
    return message


def write_durably(write: Callable[[str], Result], *, in_transaction: str = IN_TRANSACTION) -> Result:
    """Write to the database, commit immediately, and return the result.

    The write is repeated after a conflict with another writer, but not after a lost connection, whose commit may have
    succeeded: a second row would stand for a message that is never sent.

    Args:
        write: gets the alias of the database.
        in_transaction: the text of the exception if a transaction is open.

    Raises:
        SendInsideTransaction: a transaction is open, so nothing can be committed.
    """
    using = router.db_for_write(SmsMessage)

    def write_and_commit() -> Result:
        with transaction.atomic(using=using, durable=True):
            return write(using)

    try:
        return db_retry.retry_on_contention(write_and_commit, using=using, lost_connection=False)
    except RuntimeError:
        raise SendInsideTransaction(in_transaction) from None


def validate_ids(sms_unique_id: str, omnimessage_id: str) -> dict[str, str]:
    """Return the ids that are not empty, by the name of their column.

    The ids are cleaned as those of a report are, so that a report matches its message.

    Args:
        sms_unique_id: the id of the message, or "".
        omnimessage_id: the id of the omnimessage, or "".

    Raises:
        ValueError: both ids are empty, or one of them cannot be the id of a report.
    """
    raw_ids = {"sms_unique_id": sms_unique_id, "omnimessage_id": omnimessage_id}
    try:
        ids = {name: field_parsers.identifier(value, name=name) for name, value in raw_ids.items()}
    except MalformedReport as exc:
        raise ValueError(f"{exc}, so it is not an id of Messente.") from None
    if not any(ids.values()):
        raise ValueError("Neither sms_unique_id nor omnimessage_id is given. Pass the id that Messente returned.")
    return {name: value for name, value in ids.items() if value}
