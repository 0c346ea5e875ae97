"""Whose report is it? Finds the message that a report is about, and refuses one that is about another's.

A message's row stands for one message at Messente (its ``sms_unique_id`` is known) or, without that, for a whole
omnimessage (its ``omnimessage_id`` is known), all of whose channels' reports are its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q, Subquery

from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.querysets import DeliveryReportQuerySet, PendingPollQuerySet, SmsMessageQuerySet


class ReportNotForMessage(Exception):
    """A report about a message for which its callback URL, or its signature, does not speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """What a report says of whose it is.

    Attributes:
        account: the account that it is about; verified.
        message_pk: the primary key of the message that its callback URL speaks for, or None.
        sms_unique_id: the id of the message, or "".
        omnimessage_id: the id of the omnimessage, or "".
    """

    account: str
    message_pk: int | None
    sms_unique_id: str
    omnimessage_id: str

    @classmethod
    def of(cls, report: Report, *, account: str, message_pk: int | None) -> ReportTarget:
        """Return what ``report`` says of whose it is, beside what is known otherwise."""
        return cls(
            account=account,
            message_pk=message_pk,
            sms_unique_id=report.sms_unique_id,
            omnimessage_id=report.omnimessage_id,
        )


def messages() -> SmsMessageQuerySet:
    """Messages as the database that is written to has them: a replica may not have heard of them yet."""
    return SmsMessage.objects.using(router.db_for_write(SmsMessage))


def reports() -> DeliveryReportQuerySet:
    """Reports as the database that is written to has them."""
    return DeliveryReport.objects.using(router.db_for_write(DeliveryReport))


def pending() -> PendingPollQuerySet:
    """What is waited for, as the database that is written to has it."""
    return PendingPoll.objects.using(router.db_for_write(PendingPoll))


def find_message(address: ReportTarget, *, lock: bool = False) -> SmsMessage | None:
    """Return the message that a report is about, with ``hold_since``, or None while it is not known.

    Args:
        address: whose it says it is.
        lock: whether to keep the row from changing until the transaction ends.

    Raises:
        ReportNotForMessage: there is a message, but the report may not speak about it.
    """
    hold = Account.objects.filter(name=OuterRef("account")).values("credits_exhausted_at")[:1]
    rows = messages().defer("text", "metadata").annotate(hold_since=Subquery(hold))
    if lock:
        rows = rows.select_for_update()
    message = None
    if address.message_pk is not None:
        message = _first(rows.filter(pk=address.message_pk))
    else:
        if address.sms_unique_id:
            message = _first(rows.filter(sms_unique_id=address.sms_unique_id))
        if message is None and address.omnimessage_id:
            whole = rows.of_omnimessage(address.omnimessage_id).filter(sms_unique_id__isnull=True)
            message = _first(whole.filter(account=address.account))
    if message is not None and not _is_about(message, address):
        raise ReportNotForMessage(f"It does not speak for message {message.pk}.")
    return message


def missing_ids(message: SmsMessage, report: Report) -> dict[str, Any]:
    """Return the ids that a report tells of a message that has none yet, by their columns.

    That is so where the report has overtaken the answer to sending, or the answer never came.

    Raises:
        ReportNotForMessage: the id is another message's.
    """
    if message.sms_unique_id is not None or message.omnimessage_id:
        return {}
    if report.source is Source.OMNICHANNEL:
        # One of several channels, perhaps: the row stands for the whole until mark_sent says otherwise.
        return {"omnimessage_id": report.omnimessage_id} if report.omnimessage_id else {}
    if not report.sms_unique_id:
        return {}
    if messages().filter(sms_unique_id=report.sms_unique_id).exists():
        raise ReportNotForMessage(f"Its id is not that of message {message.pk}.")
    return {"sms_unique_id": report.sms_unique_id}


def orphans_of(message: SmsMessage) -> DeliveryReportQuerySet:
    """Return the orphans that are about a message, in the order in which they came."""
    # Said of each, or else SQLite uses the index of none: in those are orphans alone.
    unknown = Q(message__isnull=True)
    about = unknown & Q(token_message_id=message.pk)
    if message.sms_unique_id:
        about |= unknown & Q(sms_unique_id=message.sms_unique_id)
    elif message.omnimessage_id:
        about |= unknown & Q(omnimessage_id=message.omnimessage_id)
    return reports().filter(about, account=message.account).order_by("pk")


def orphans_with_message() -> DeliveryReportQuerySet:
    """Return all orphans whose message is known by now, in the order in which they came."""
    known = messages().filter(account=OuterRef("account"))
    whole = known.of_omnimessage(OuterRef("omnimessage_id")).filter(sms_unique_id__isnull=True)
    return (
        reports()
        .orphans()
        .filter(
            Exists(known.filter(pk=OuterRef("token_message_id")))
            | Exists(known.filter(sms_unique_id=OuterRef("sms_unique_id")))
            | Exists(whole)
        )
        .order_by("pk")
    )


def _is_about(message: SmsMessage, address: ReportTarget) -> bool:
    if message.account != address.account:
        return False
    if address.omnimessage_id and address.omnimessage_id == message.omnimessage_id:
        return True
    if message.sms_unique_id is not None:
        return address.sms_unique_id in {"", message.sms_unique_id}
    return not (message.omnimessage_id and address.omnimessage_id)


def _first(rows: SmsMessageQuerySet) -> SmsMessage | None:
    return next(iter(rows[:1]), None)
