"""Find the message of a report, and reject a report that is not allowed to change that message.

A row of `SmsMessage` represents one message at Messente if its ``sms_unique_id`` is known. A row with an
``omnimessage_id`` alone represents a whole omnimessage, and the reports of all its channels belong to that row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q, Subquery

from django_messente_dlr.callbacks import MessageKey
from django_messente_dlr.messente.parsers import restore_report
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.messages import DELIVERY_STATE
from django_messente_dlr.models.querysets import DeliveryReportQuerySet, PendingPollQuerySet, SmsMessageQuerySet


class ReportNotForMessage(Exception):
    """The callback URL or the signature of a report does not authorize it to change the message that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """The message that a report is about, as the report and its request identify it.

    Attributes:
        account: the account of the message. The caller has verified it.
        message_key: the message in the token of the callback URL, or None.
        sms_unique_id: the message's id at Messente, or "".
        omnimessage_id: the omnimessage's id at Messente, or "".
    """

    account: str
    message_key: MessageKey | None
    sms_unique_id: str
    omnimessage_id: str

    @classmethod
    def from_report(cls, report: Report, *, account: str, message_key: MessageKey | None) -> ReportTarget:
        """Return the target with the ids of a report.

        Args:
            report: the report.
            account: the verified account.
            message_key: the message in the token of the callback URL, or None.
        """
        return cls(
            account=account,
            message_key=message_key,
            sms_unique_id=report.sms_unique_id,
            omnimessage_id=report.omnimessage_id,
        )


def messages() -> SmsMessageQuerySet:
    """Return the messages of the database for writes, because a replica may not have the newest rows yet."""
    return SmsMessage.objects.using(router.db_for_write(SmsMessage))


def reports() -> DeliveryReportQuerySet:
    """Return the reports of the database for writes."""
    return DeliveryReport.objects.using(router.db_for_write(DeliveryReport))


def pending() -> PendingPollQuerySet:
    """Return the pending polls of the database for writes."""
    return PendingPoll.objects.using(router.db_for_write(PendingPoll))


def reload(message: SmsMessage, *, lock: bool = False) -> None:
    """Read the delivery state of a message again. The caller's unsaved changes of other columns are kept.

    Args:
        message: the message. Its attributes are updated.
        lock: whether to lock the row until the transaction ends.
    """
    rows = messages().select_for_update() if lock else messages()
    message.refresh_from_db(using=rows.db, fields=DELIVERY_STATE, from_queryset=rows)


def find_message(target: ReportTarget, *, lock: bool = False) -> SmsMessage | None:
    """Return the message that a report is about, or None if no row is known for it.

    The message has the attribute ``hold_since``: when the credit hold of its account started, or None.

    Args:
        target: the message that the report is about.
        lock: whether to lock the row until the transaction ends.

    Raises:
        ReportNotForMessage: there is a message, but the report is not allowed to change it.
    """
    hold = Account.objects.filter(name=OuterRef("account")).values("credits_exhausted_at")[:1]
    rows = messages().defer("text", "metadata").annotate(hold_since=Subquery(hold))
    if lock:
        rows = rows.select_for_update()
    message = None
    if target.message_key is not None:
        message = _first(rows.filter(**target.message_key._asdict()))
    else:
        if target.sms_unique_id:
            message = _first(rows.filter(sms_unique_id=target.sms_unique_id))
        if message is None and target.omnimessage_id:
            omnimessages = rows.of_omnimessage(target.omnimessage_id).filter(sms_unique_id__isnull=True)
            message = _first(omnimessages.filter(account=target.account))
    if message is not None and not _is_about(message, target):
        raise ReportNotForMessage(f"The report is not for message {message.pk}.")
    return message


def missing_ids(message: SmsMessage, report: Report) -> dict[str, Any]:
    """Return the ids, by column name, that a report adds to a message without any id.

    A message has no id if its report arrives before the response to the send request, or if that response is lost.

    Raises:
        ReportNotForMessage: the id belongs to another message.
    """
    if message.sms_unique_id is not None or message.omnimessage_id:
        return {}
    ids: dict[str, Any] = {}
    if report.source is Source.OMNICHANNEL:
        ids = {"omnimessage_id": report.omnimessage_id} if report.omnimessage_id else {}
        if message.channel_count != 1:
            # The report may be about one of several channels, so its message id is not stored: the row represents
            # the omnimessage until mark_sent gives it the id of one channel.
            return ids
    if not report.sms_unique_id:
        return ids
    if messages().filter(sms_unique_id=report.sms_unique_id).exists():
        raise ReportNotForMessage(f"The report for message {message.pk} has the id of another message.")
    return {**ids, "sms_unique_id": report.sms_unique_id}


def restored_report(row: DeliveryReport) -> Report:
    """Return the report that a row stores, as it was received."""
    return restore_report(
        Source(row.source),
        row.payload,
        sms_unique_id=row.sms_unique_id,
        omnimessage_id=row.omnimessage_id,
        stat=row.stat,
        err=row.err,
        occurred_at=row.occurred_at,
    )


def orphans_of(message: SmsMessage) -> DeliveryReportQuerySet:
    """Return the orphans that are about a message, in the order in which they were received."""
    # Each alternative repeats the condition of the partial indexes, which contain orphans only. SQLite uses no index
    # without it.
    is_orphan = Q(message__isnull=True)
    condition = is_orphan & Q(token_message_id=message.pk, token_created_at=message.created_at)
    # A callback URL accepts reports of its message only, whatever ids they have.
    of_account_url = is_orphan & Q(token_message_id__isnull=True)
    if message.sms_unique_id:
        condition |= of_account_url & Q(sms_unique_id=message.sms_unique_id)
    elif message.omnimessage_id:
        condition |= of_account_url & Q(omnimessage_id=message.omnimessage_id)
    return reports().filter(condition, account=message.account).order_by("pk")


def orphans_with_message() -> DeliveryReportQuerySet:
    """Return all orphans whose message is stored by now, in the order in which they were received."""
    candidates = messages().filter(account=OuterRef("account"))
    omnimessages = candidates.of_omnimessage(OuterRef("omnimessage_id")).filter(sms_unique_id__isnull=True)
    return (
        reports()
        .orphans()
        .filter(
            Exists(candidates.filter(pk=OuterRef("token_message_id"), created_at=OuterRef("token_created_at")))
            | Q(Exists(candidates.filter(sms_unique_id=OuterRef("sms_unique_id"))), token_message_id__isnull=True)
            | Q(Exists(omnimessages), token_message_id__isnull=True)
        )
        .order_by("pk")
    )


def _is_about(message: SmsMessage, target: ReportTarget) -> bool:
    """Return whether a report with this target is allowed to change a message that was found for it."""
    if message.account != target.account:
        return False
    if target.omnimessage_id and target.omnimessage_id == message.omnimessage_id:
        return True
    if message.sms_unique_id is not None:
        return target.sms_unique_id in {"", message.sms_unique_id}
    return not (message.omnimessage_id and target.omnimessage_id)


def _first(rows: SmsMessageQuerySet) -> SmsMessage | None:
    return next(iter(rows[:1]), None)
