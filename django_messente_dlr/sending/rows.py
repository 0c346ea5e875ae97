"""Check a caller's values, and create the row of a message before Messente knows the message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from django_messente_dlr import conf, receiving
from django_messente_dlr.exceptions import SendInsideTransaction
from django_messente_dlr.messente import field_parsers
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.utils.poll_schedule import first_poll_at

PHONE_NUMBER = re.compile(r"\+?[0-9]{4,20}", re.ASCII)
FRACTION = re.compile(r"\+?[0-9]+[.,][0-9]{1,2}")
NATIONAL_PREFIX = re.compile(r"\([\s\u00a0]*0[\s\u00a0]*\)")
SEPARATORS = str.maketrans("", "", " -.()\t\u00a0")


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


def clean_recipient(to: Any) -> str:
    """Return a number without separators.

    Args:
        to: the number: a text, an integer, or an object such as phonenumbers' PhoneNumber.

    Raises:
        ValueError: the digits could be another number's: a value that is not a text, a fraction, or "(0)".
    """
    if isinstance(to, bool | float | complex | Decimal | Fraction | bytes | bytearray):
        raise ValueError(  # noqa: TRY004 - every number that is refused is a ValueError
            f"{one_line(repr(to))} is not a phone number but a {type(to).__name__}, as spreadsheets return it. "
            'Pass the number as text, such as "+37255500000".'
        )
    text = str(to).strip()
    if FRACTION.fullmatch(text):
        raise ValueError(
            f'"{one_line(to)}" is a number with a fraction. Pass the phone number as text, such as "+37255500000".'
        )
    if NATIONAL_PREFIX.search(text):
        raise ValueError(f'"{one_line(to)}" contains "(0)", which is not dialled after a country code. Remove it.')
    return text.translate(SEPARATORS)


def build_message(
    to: str,
    *,
    text: str,
    sender: str,
    account: str,
    metadata: Mapping[str, Any] | None,
    channel: str = "sms",
    optional: bool = False,
) -> SmsMessage:
    """Return an unsaved message.

    Args:
        to: the recipient's number in international format. Spaces, dashes, dots and brackets are removed.
        text: the text. It is stored only if ``STORE_TEXT`` is set.
        sender: the sender's name, at most 32 characters.
        account: the account's name. The caller checks that it is configured.
        metadata: data of the project, stored as JSON.
        channel: the channel, such as sms, viber, whatsapp or rcs; at most 16 characters.
        optional: whether the number may be missing.

    Raises:
        ValueError: the number is not a phone number, or the sender or the channel is too long.
    """
    recipient = clean_recipient(to)
    if not PHONE_NUMBER.fullmatch(recipient) and not (optional and not recipient):
        raise ValueError(f'"{one_line(to)}" is not a phone number in international format, such as +37255500000.')
    for name, value, limit in (("sender", sender, 32), ("channel", channel, 16)):
        if len(value) > limit:
            raise ValueError(f'The {name} "{one_line(value)}" is longer than {limit} characters.')
    return SmsMessage(
        recipient=recipient,
        sender=sender,
        text=text if conf.get_config().store_text else "",
        account=account,
        channel=channel,
        metadata=dict(metadata or {}),
        created_at=timezone.now(),
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
        message=message, account=message.account, due_at=first_poll_at(message.created_at)
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


def insert_durably(to: str, **attributes: Any) -> SmsMessage:
    """Create a message and commit it immediately.

    Args:
        to: the recipient's number in international format.
        attributes: the keyword arguments of `build_message`.

    Raises:
        ValueError: `build_message` rejects a value.
        SendInsideTransaction: a transaction is open, so the row cannot be committed.
    """
    message = build_message(to, **attributes)
    using = router.db_for_write(SmsMessage)
    try:
        with transaction.atomic(using=using, durable=True):
            insert(message, using=using)
    except RuntimeError:
        raise SendInsideTransaction(
            "send_sms was called inside a transaction, so nothing was sent: a rollback would delete the row of a "
            "message that was sent. Call it after the commit, with transaction.on_commit(lambda: send_sms(…)), or "
            "from a view that is exempt from ATOMIC_REQUESTS."
        ) from None
    return message


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
