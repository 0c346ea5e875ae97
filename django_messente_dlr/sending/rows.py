"""A message's row before anything is known of it: built from what the caller gives, checked, and committed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from django_messente_dlr import conf, receiving
from django_messente_dlr.exceptions import SendInsideTransaction
from django_messente_dlr.messente import field_parsers
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.utils.poll_schedule import first_poll_at

NUMBER = re.compile(r"\+?[0-9]{4,20}", re.ASCII)
SEPARATORS = str.maketrans("", "", " -.()\t\u00a0")


def find_existing(sms_unique_id: str, omnimessage_id: str, account: str, *, lock: bool = False) -> SmsMessage | None:
    """Return the row that has these ids already, or None.

    Args:
        sms_unique_id: the id of the message, or "".
        omnimessage_id: the id of the omnimessage, for a row without the former.
        account: the account whose it is to be.
        lock: whether to keep it from changing until the transaction ends. MariaDB then shows a row, too, that was
            committed after the transaction began.

    Raises:
        ValueError: it is one of another account's.
    """
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage))
    if lock:
        messages = messages.select_for_update()
    if sms_unique_id:
        message = messages.filter(sms_unique_id=sms_unique_id).first()
    else:
        message = messages.of_omnimessage(omnimessage_id).filter(sms_unique_id=None, account=account).first()
    if message is not None and message.account != account:
        raise ValueError(f"The id {sms_unique_id} is that of a message of account «{message.account}».")
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
) -> SmsMessage:
    """Return an unsaved row; raise ValueError for what cannot be one.

    Args:
        to: the recipient's number in international format.
        text: the text, kept only where ``STORE_TEXT`` is set.
        sender: the sender's name.
        account: the account's name; the caller has checked that there is one.
        metadata: the project's own.
        channel: sms, viber, whatsapp, rcs …
        optional: whether the number may be missing.
    """
    # As a text: a customer may have none (None), or one that has a class of its own (phonenumbers).
    recipient = str(to).translate(SEPARATORS)
    if not NUMBER.fullmatch(recipient) and not (optional and not recipient):
        raise ValueError(f"«{to}» is not a phone number in international format, such as +37255500000.")
    for name, value, limit in (("sender", sender, 32), ("channel", channel, 16)):
        if len(value) > limit:
            raise ValueError(f"The {name} «{value}» is longer than {limit} characters.")
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
    """Insert a row, and the one that says when to ask about it. Must run inside a transaction."""
    message.save(using=using, force_insert=True)
    message.pending = PendingPoll.objects.using(using).create(
        message=message, account=message.account, due_at=first_poll_at(message.created_at)
    )


def insert_with_matching(message: SmsMessage) -> SmsMessage:
    """Save a row; a report that was here before it is matched when it is committed."""
    using = router.db_for_write(SmsMessage)
    with transaction.atomic(using=using):
        insert(message, using=using)
        transaction.on_commit(lambda: receiving.match_orphans_of(message), using=using, robust=True)
    return message


def insert_durably(to: str, **attributes: Any) -> SmsMessage:
    """Build a row and commit it at once; raise `SendInsideTransaction` where that cannot be."""
    message = build_message(to, **attributes)
    using = router.db_for_write(SmsMessage)
    try:
        with transaction.atomic(using=using, durable=True):
            insert(message, using=using)
    except RuntimeError:
        raise SendInsideTransaction(
            "send_sms was called inside a transaction. If that is rolled back, a message was sent of which nobody "
            "knows. Call it after the commit: transaction.on_commit(lambda: send_sms(…)), or from a view that is "
            "exempt from ATOMIC_REQUESTS."
        ) from None
    return message


def validate_ids(sms_unique_id: str, omnimessage_id: str) -> dict[str, str]:
    """Return the ids that are given, by their columns, as they are read in a report, which has to match them.

    Raises:
        ValueError: there is none, or one that no report can have.
    """
    given = {"sms_unique_id": sms_unique_id, "omnimessage_id": omnimessage_id}
    try:
        ids = {name: field_parsers.identifier(value, name=name) for name, value in given.items()}
    except MalformedReport as exc:
        raise ValueError(f"{exc}, so it is no id of Messente's.") from None
    if not any(ids.values()):
        raise ValueError("Neither sms_unique_id nor omnimessage_id is given. Give the id that Messente answered.")
    return {name: value for name, value in ids.items() if value}
