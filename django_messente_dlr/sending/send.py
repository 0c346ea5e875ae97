"""How a message enters the ledger: `send_sms`, or `prepare_sms` and `mark_sent`, or `track_sms`.

The row is committed before Messente is called, with a ``dlr-url`` that names it, so that a report finds its message
even where it overtakes the answer. Whether a message was sent is never guessed: see `OutcomeUnknown`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import IntegrityError, router
from django.utils import timezone

from django_messente_dlr import accounts, conf, receiving
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.messente.errors import MessenteError, OutcomeUnknown, RequestRefused
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.messente.send_options import check_options, time_to_send
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.record import to_db_datetime
from django_messente_dlr.sending import rows
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at

logger = logging.getLogger(__name__)

# Nobody sends later than that on purpose; and times have an end, behind which nothing can be reckoned.
FARTHEST = timedelta(days=366)


def send_sms(
    to: str,
    text: str,
    *,
    sender: str = "",
    account: str = conf.DEFAULT_ACCOUNT,
    metadata: Mapping[str, Any] | None = None,
    **options: str | int,
) -> SmsMessage:
    """Send one SMS through Messente and return its message, whose reports will come by themselves.

    Args:
        to: the recipient's number in international format; spaces, dashes and brackets are taken out.
        text: the text to send. It is stored only where ``STORE_TEXT`` is set.
        sender: the sender's name, verified by Messente; "" for the account's default.
        account: the account's name in ``MESSENTE_DLR``.
        metadata: whatever you want to find on the message again; must be JSON.
        options: further parameters of Messente's ``send_sms``: ``validity`` (minutes), ``time_to_send`` (Unix
            seconds), ``autoconvert``, ``charset``, ``udh``, ``text_store``.

    Raises:
        ValueError: the number, the text or an option cannot be sent.
        SendInsideTransaction: use ``transaction.on_commit``; the message says how.
        CreditsExhausted: the account is on hold; see ``HOLD_ON_CREDITS_EXHAUSTED``.
        OutcomeUnknown: Messente may have sent it, or not. Its row (``sms_message``) stays queued until a report
            tells or, without one, is unresolved after 48 hours; do not send it again.
        MessenteError: it was not sent. Its row (``sms_message``) tells why, and ``dlr_failed`` is sent for it.
        ImproperlyConfigured: there is no such account.
    """
    client = client_for(account)
    check_options(options)
    _check_text(text)
    if conf.get_config().hold_on_credits_exhausted and accounts.is_held(account):
        raise CreditsExhausted(
            f"The Messente account «{account}» is out of credits, so nothing was sent. Add credit, then run "
            "poll_dlrs or lift the hold in the admin."
        )
    message = rows.insert_durably(to, text=text, sender=sender, account=account, metadata=metadata)
    dlr_url = message.callback_url if conf.get_config().callback_base_url else ""
    try:
        sms_unique_id = client.send(message.recipient, text, dlr_url=dlr_url, sender=sender, **options)
    except MessenteError as exc:
        exc.sms_message = message
        if not isinstance(exc, OutcomeUnknown):
            _refused(message, exc)
        raise
    try:
        return mark_sent(message, sms_unique_id, sent_at=_time_of(options))
    except ValueError as exc:
        unknown = OutcomeUnknown(f"Messente has taken it, but what it answered cannot be its id. {exc}")
        unknown.sms_message = message
        raise unknown from None
    except DatabaseFailure:
        # A report to its own URL will tell the id again; until then it stands here alone.
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
    """Enter a message that another client is going to send, and return it with its ``callback_url``.

    Give that URL to Messente as ``dlr-url`` (SMS API) or ``dlr_url`` (Omnichannel), and its answer to `mark_sent`.
    Inside a transaction, wait for its end before that: where it is rolled back, the URL speaks for nobody or, on
    SQLite, for the next message.

    Args:
        to: the recipient's number in international format.
        sender: the sender's name.
        account: the account's name in ``MESSENTE_DLR``.
        metadata: whatever you want to find on the message again; must be JSON.
        text: its text; stored only where ``STORE_TEXT`` is set.
        channel: sms, viber, whatsapp, rcs …

    Raises:
        ValueError: the number is none.
        ImproperlyConfigured: there is no such account.
    """
    conf.account(account)
    message = rows.build_message(to, text=text, sender=sender, account=account, metadata=metadata, channel=channel)
    return rows.insert_with_matching(message)


def mark_sent(
    message: SmsMessage, sms_unique_id: str = "", *, omnimessage_id: str = "", sent_at: datetime | None = None
) -> SmsMessage:
    """Tell what Messente calls a message that it has taken; what it reported already is matched.

    Args:
        message: the message that `prepare_sms` returned.
        sms_unique_id: the id that ``send_sms`` answered, or an Omnichannel ``message_id``. Left out for an
            omnimessage of several channels, whose reports are then all this message's.
        omnimessage_id: the id of the omnimessage, by which its status is asked for.
        sent_at: when Messente sends it, where it is told to wait; None for now.

    Raises:
        ValueError: there is no id, or it is another message's.
    """
    ids = rows.validate_ids(sms_unique_id, omnimessage_id)
    at = sent_at or timezone.now()
    confirm = partial(receiving.confirm_sent, message, next_poll_at=first_poll_at(at), sent_at=at, **ids)
    try:
        db_retry.retry_on_contention(confirm, using=router.db_for_write(SmsMessage))
    except IntegrityError:
        raise ValueError(f"The id {sms_unique_id} is already that of another message.") from None
    return message


def _check_text(text: str) -> None:
    if not text:
        raise ValueError("The text is empty. Give send_sms the text to send.")
    try:
        str(text).encode()
    except UnicodeEncodeError as exc:
        # Half of an emoji, most likely: JavaScript counts, and cuts, in such halves.
        raise ValueError(
            f"The text has half of a character (a lone surrogate) at its place {exc.start}, which cannot be sent. "
            "Cut texts between characters."
        ) from None


def _refused(message: SmsMessage, error: MessenteError) -> None:
    """Write down that Messente did not take a message: that is its end, unless a report says otherwise."""
    report = Report(source=Source.SEND, error_text=str(error)[:255], payload={"answer": str(error)})
    receiving.record_final(message, report, Status.REJECTED if isinstance(error, RequestRefused) else Status.FAILED)
    message.refresh_from_db(using=router.db_for_write(SmsMessage))


def _time_of(options: Mapping[str, str | int]) -> datetime | None:
    """Return when Messente is going to send, or None for now."""
    told, now = to_db_datetime(time_to_send(options)), timezone.now()
    if told is None:
        return None
    return max(told, now) if told - now < FARTHEST else None
