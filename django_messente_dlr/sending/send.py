"""Send a message with `send_sms`, or record a message that another client is going to send with `prepare_sms`.

`send_sms` commits the message's row before it calls Messente, and the ``dlr-url`` contains the row's primary key. A
report therefore matches its message even if the report arrives before Messente's response to the request.

A message is marked as sent or failed only if Messente's response proves it. Otherwise `send_sms` raises
`OutcomeUnknown`, and a report or a poll decides.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseFailure
from django.utils import timezone

from django_messente_dlr import accounts, conf, receiving
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.messente.errors import MessenteError, OutcomeUnknown, RequestRefused
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.messente.send_options import check_options, time_to_send
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.error_texts import untranslated
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import rows
from django_messente_dlr.sending.mark import mark_sent
from django_messente_dlr.utils.times import to_utc

logger = logging.getLogger(__name__)

# A ``time_to_send`` beyond this limit is a mistake of the caller. Ignoring it also avoids an OverflowError when an
# interval is added to a time near `datetime.max`.
MAX_SEND_DELAY = timedelta(days=366)


def send_sms(
    to: str,
    text: str,
    *,
    sender: str = "",
    account: str = conf.DEFAULT_ACCOUNT,
    metadata: Mapping[str, Any] | None = None,
    **options: str | int,
) -> SmsMessage:
    """Send one SMS through Messente and return its message.

    Messente sends the delivery reports to the message's callback URL, and `poll_dlrs` polls for missing ones.

    Args:
        to: the recipient's number in international format. Spaces, dashes, dots and brackets are removed.
        text: the text to send. It is stored only if ``STORE_TEXT`` is set.
        sender: the sender's name, verified by Messente; "" for the account's default.
        account: the account's name in ``MESSENTE_DLR``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        options: further parameters of Messente's ``send_sms``: ``validity`` (minutes), ``time_to_send`` (Unix
            seconds), ``autoconvert``, ``charset``, ``udh``, ``text_store``.

    Raises:
        ValueError: the number, the text or an option cannot be sent.
        SendInsideTransaction: a transaction is open. Call ``send_sms`` from ``transaction.on_commit``.
        CreditsExhausted: the account is on hold; see ``HOLD_ON_CREDITS_EXHAUSTED``. Nothing is sent or stored.
        OutcomeUnknown: Messente may have sent the message, or not. The message (``sms_message`` of the exception)
            stays queued until a report arrives, and becomes unresolved after 48 hours. Do not send it again.
        MessenteError: the message was not sent. Its row (``sms_message`` of the exception) stores the reason, and
            the signal ``dlr_failed`` is sent for it.
        ImproperlyConfigured: the account is not configured.
    """
    client = client_for(account)
    check_options(options)
    _check_text(text)
    accounts.refuse_if_held(account)
    message = rows.insert_durably(to, text=text, sender=sender, account=account, metadata=metadata)
    dlr_url = message.callback_url if conf.get_config().callback_base_url else ""
    try:
        sms_unique_id = client.send(message.recipient, text, dlr_url=dlr_url, sender=sender, **options)
    except MessenteError as exc:
        exc.sms_message = message
        if not isinstance(exc, OutcomeUnknown):
            _record_failure(message, exc)
        _reload(message)
        raise
    try:
        return mark_sent(message, sms_unique_id, sent_at=_scheduled_time(options))
    except ValueError as exc:
        error = OutcomeUnknown(f"Messente accepted the message, but the id in its response is not usable. {exc}")
        error.sms_message = message
        _reload(message)
        raise error from None
    except DatabaseFailure:
        # A report to the message's callback URL contains the id again. Until it arrives, only this log entry does.
        logger.exception("Message %s was sent, but its id %s could not be stored.", message.pk, sms_unique_id)
        raise


def prepare_sms(
    to: str,
    *,
    sender: str = "",
    account: str = conf.DEFAULT_ACCOUNT,
    metadata: Mapping[str, Any] | None = None,
    text: str = "",
    channel: str = "sms",
) -> SmsMessage:
    """Record a message that another client is going to send, and return it. Its URL is ``callback_url``.

    Pass the URL to Messente as ``dlr-url`` (SMS API) or ``dlr_url`` (Omnichannel), and the id that Messente returns
    to `mark_sent`. If a transaction is open, call Messente after its commit. After a rollback the URL belongs to no
    message or, on SQLite, to the next message, because SQLite uses the primary key again.

    Args:
        to: the recipient's number in international format.
        sender: the sender's name.
        account: the account's name in ``MESSENTE_DLR``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        text: the text. It is stored only if ``STORE_TEXT`` is set.
        channel: the channel, such as sms, viber, whatsapp or rcs.

    Raises:
        ValueError: the number is not a phone number, or the sender or the channel is too long.
        CreditsExhausted: the account is on hold; see ``HOLD_ON_CREDITS_EXHAUSTED``. Nothing is stored.
        ImproperlyConfigured: the account is not configured.
    """
    conf.account(account)
    accounts.refuse_if_held(account)
    message = rows.build_message(to, text=text, sender=sender, account=account, metadata=metadata, channel=channel)
    return rows.insert_with_matching(message)


def _check_text(text: str) -> None:
    """Raise ValueError if a text is empty or cannot be encoded as UTF-8."""
    if not text:
        raise ValueError("The text is empty. Pass the text to send to send_sms.")
    try:
        str(text).encode()
    except UnicodeEncodeError as exc:
        # A lone surrogate is usually half of an emoji: JavaScript truncates strings in UTF-16 code units.
        raise ValueError(
            f"The text contains half a character (a lone surrogate) at index {exc.start}, which cannot be sent. "
            "Truncate texts between characters."
        ) from None


def _record_failure(message: SmsMessage, error: MessenteError) -> None:
    """Record that Messente did not accept a message: rejected or failed, unless a later report corrects it."""
    answer = untranslated(error)
    report = Report(source=Source.SEND, error_text=answer[:255], payload={"answer": answer})
    receiving.record_final(message, report, Status.REJECTED if isinstance(error, RequestRefused) else Status.FAILED)


def _reload(message: SmsMessage) -> None:
    """Reload a message for an exception: a report may have arrived during the request to Messente."""
    # An error here must not replace the exception that states whether the message was sent.
    with suppress(DatabaseFailure, SmsMessage.DoesNotExist):
        receiving.reload(message)


def _scheduled_time(options: Mapping[str, str | int]) -> datetime | None:
    """Return the time at which Messente sends the message, or None for now."""
    scheduled_at, now = time_to_send(options), to_utc(timezone.now())
    if scheduled_at is None:
        return None
    return max(scheduled_at, now) if scheduled_at - now < MAX_SEND_DELAY else None
