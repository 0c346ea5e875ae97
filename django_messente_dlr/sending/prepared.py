"""Send a message whose row `prepare_sms` has created, with `send_prepared`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import router

from django_messente_dlr import accounts, receiving
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import columns, outgoing, rows
from django_messente_dlr.sending.option_names import suggest_names
from django_messente_dlr.sending.transmit import transmit
from django_messente_dlr.utils.phone_numbers import with_plus


@suggest_names
def send_prepared(
    message: SmsMessage,
    text_or_channels: str | Sequence[Any],
    *,
    sender: str = "",
    validity: int | timedelta | None = None,
    send_at: datetime | None = None,
    autoconvert: str | None = None,
    charset: str | None = None,
    udh: str | None = None,
    priority: str | None = None,
    text_store: str | None = None,
) -> SmsMessage:
    """Send a message of `prepare_sms`, which your own rows can refer to before it is sent. Return it.

    Only one of several processes that call this for the same message sends it.

    Args:
        message: the message that `prepare_sms` returned. Its recipient, account, metadata and reference are used.
        text_or_channels: a text, which is sent as by `send_sms`, or a list of channels, as for `send_message`.
        sender: the sender's name; "" for that of the message. Only with a text: a channel has its own.
        validity: as for `send_sms`; only with a text.
        send_at: when Messente sends the message: an aware datetime, at most a year ahead.
        autoconvert: as for `send_sms`; only with a text.
        charset: as for `send_sms`; only with a text.
        udh: as for `send_sms`; only with a text.
        priority: as for `send_message`; only with channels.
        text_store: how Messente stores the text: "plaintext", "sha256" or "nostore".

    Raises:
        ValueError: the message was sent before, is deleted, or its row has another recipient than ``message``. Or a
            value cannot be sent.
        Exception: the same as `send_sms`.
    """
    is_text = not isinstance(text_or_channels, list | tuple)
    text_only: dict[str, Any] = {"validity": validity, "autoconvert": autoconvert, "charset": charset, "udh": udh}
    if is_text:
        if priority is not None:
            raise TypeError("priority is an option of channels. Pass [Sms(text)] instead of the text.")
        request = outgoing.from_text(
            with_plus(message.recipient),
            text_or_channels,
            sender=sender or message.sender,
            account=message.account,
            send_at=send_at,
            text_store=text_store,
            **text_only,
        )
    else:
        for name, value in {"sender": sender or None, **text_only}.items():
            if value is not None:
                raise TypeError(
                    f"{name} is an option of a text. Pass it to the channel, such as Sms(text, {name}=…)."
                )
        request = outgoing.from_channels(
            with_plus(message.recipient),
            text_or_channels,
            account=message.account,
            send_at=send_at,
            priority=priority,
            text_store=text_store,
        )
    accounts.refuse_if_held(message.account)
    described = columns.columns_of(request, is_text=is_text)
    if not rows.write_durably(lambda using: receiving.claim_prepared(message, **described)):
        raise ValueError(_why_not(message))
    for name, value in described.items():
        setattr(message, name, value)
    return transmit(message, outgoing.for_row(request, message))


def _why_not(message: SmsMessage) -> str:
    """Return why a message cannot be sent with `send_prepared`."""
    row = SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(pk=message.pk).first()
    if row is None:
        return f"Message {message.pk} is not stored. Pass the message that prepare_sms returned, after its commit."
    if row.recipient != message.recipient or row.account != message.account:
        return f"The row of message {row.pk} belongs to another recipient or account. Read it again, then send it."
    if row.rank != Status.QUEUED.rank or row.sms_unique_id or row.omnimessage_id:
        return f"Message {row.pk} was already sent: its status is {row.status}. Call prepare_sms for a new message."
    if QueuedMessage.objects.using(router.db_for_write(QueuedMessage)).filter(pk=row.pk).exists():
        return f"Message {row.pk} is in the send queue, and send_queued sends it. Call cancel first to remove it."
    return (
        f"Message {row.pk} was already given to Messente, and the outcome is not known yet. Wait for its report. If "
        "it becomes unresolved, call prepare_sms for a new message."
    )
