"""Send the signals of one report or of one account, and mark the row when they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connections, router
from django.dispatch import Signal
from django.utils import timezone

from django_messente_dlr import signals
from django_messente_dlr.dispatch import resend_hook
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage, chains
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry

# Receivers of these may send the message again, or inform the recipient that it will not come. They are not sent if a
# later report has delivered the message.
NOT_AFTER_DELIVERY = frozenset({"dlr_failed", "temporary_failure", "dlr_cancelled"})
DELIVERED_MEANWHILE = "was not sent, because another report has delivered the message since."
# Fixed texts: the ORM takes longer to compile these statements than the database to execute them.
READ_MESSAGE = f"SELECT * FROM {SmsMessage._meta.db_table} WHERE id = %s"  # noqa: S608, SLF001
DISPATCHED_AT: Any = DeliveryReport._meta.get_field("dispatched_at")  # noqa: SLF001
MARK_DISPATCHED = (
    f"UPDATE {DeliveryReport._meta.db_table} SET dispatched_at = %(now)s, dispatch_due_at = NULL,"  # noqa: S608, SLF001
    " dispatch_error = %(error)s, dispatch_failed_at = %(failed_at)s WHERE id = %(pk)s"
)


def has_receivers(names: Iterable[str], *, message: SmsMessage | None = None) -> bool:
    """Return whether a receiver is connected to one of the signals of these names, or `resend_hook` acts on them.

    Args:
        names: the names of the signals.
        message: their message as it was read before the report; None if it was not read.
    """
    names = [*names]
    if any(signals.BY_NAME[name].has_listeners(SmsMessage) for name in names):
        return True
    return resend_hook.acts_on(names, message)


def dispatch_report(
    report_pk: int,
    *,
    due_at: datetime | None = None,
    report: DeliveryReport | None = None,
    message: SmsMessage | None = None,
) -> bool:
    """Send the signals of one report and mark it as dispatched; return whether no receiver raised.

    Args:
        report_pk: the report's primary key.
        due_at: the ``dispatch_due_at`` that the caller wrote: nothing is sent if the row has another. None: any.
        report: the row as it is stored. None reads it, with its message.
        message: the message, if the row is given. None reads it.
    """
    using = router.db_for_write(DeliveryReport)
    if report is None:
        rows = DeliveryReport.objects.using(using).select_related("message")
        report = db_retry.retry_on_contention(lambda: rows.get(pk=report_pk), using=using)
        if due_at not in {None, report.dispatch_due_at}:
            return True
    else:
        if message is None and report.message_id is not None:
            message = SmsMessage.objects.using(using).raw(READ_MESSAGE, [report.message_id])[0]
        report.message = message
    errors, note = list[str](), ""
    # A matched orphan is due again: only the signals before dlr_received are new, and its earlier errors stay stored.
    is_matched_orphan = None not in {report.dispatched_at, report.dispatch_due_at}
    end = report.signals.index("dlr_received") if is_matched_orphan else None
    for name in sorted(report.signals[:end], key=[*signals.BY_NAME].index):
        if name in NOT_AFTER_DELIVERY and has_receivers([name]) and _is_delivered_meanwhile(report):
            note = note or f"{name} {DELIVERED_MEANWHILE}"
        else:
            if name == "dlr_delivered" and report.message is not None:
                resend_hook.end_chain(report.message)
            errors += _send(signals.BY_NAME[name], **_arguments(name, report))
    if errors and (connection := connections[using]).connection is not None and not connection.is_usable():
        # The receivers failed with the connection. The sweep sends the signals on a new one.
        connection.close()
        return False
    earlier = [report.dispatch_error] if is_matched_orphan and report.dispatch_error else []
    mark_dispatched(report, due_at=report.dispatch_due_at, errors="\n".join(earlier + errors), note=note)
    return not errors


def mark_dispatched(report: DeliveryReport, *, due_at: datetime | None, errors: str = "", note: str = "") -> None:
    """Mark a report as dispatched. It stays due if its row has another ``dispatch_due_at`` (a matched orphan).

    Args:
        report: the report's row.
        due_at: the ``dispatch_due_at`` of the row when its signals were sent.
        errors: the exceptions of the receivers, one in each line.
        note: a remark that is stored instead if no receiver raised.
    """
    connection, now = connections[router.db_for_write(DeliveryReport)], timezone.now()
    times = {"now": now, "due_at": due_at, "failed_at": now if errors else None}
    parameters: dict[str, Any] = {"error": errors or note, "pk": report.pk}
    parameters |= {name: DISPATCHED_AT.get_db_prep_save(time, connection) for name, time in times.items()}
    statement = f"{MARK_DISPATCHED} AND dispatch_due_at {'= %(due_at)s' if due_at else 'IS NULL'}"

    def update() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    db_retry.retry_on_contention(update, using=connection.alias)


def _is_delivered_meanwhile(report: DeliveryReport) -> bool:
    """Read the message of a report again, and return whether it was delivered since, or the one that it repeats."""
    if report.message is None:
        return False
    report.message.refresh_from_db(using=router.db_for_write(SmsMessage))
    return Status(report.message.status).is_delivery or chains.is_delivered_earlier(report.message)


def send_credits_restored(account: str, *, due: datetime) -> None:
    """Send ``credits_restored`` for an account whose credit hold was ended by a balance check or a person.

    Args:
        account: the account's name.
        due: the ``restored_dispatch_due_at`` that the caller has set. If the row has another value after the signal,
            another outage has ended since, and its own signal stays due.
    """
    _send(signals.credits_restored, message=None, report=None, account=account)
    Account.objects.filter(name=account, restored_dispatch_due_at=due).update(restored_dispatch_due_at=None)


def _arguments(name: str, report: DeliveryReport) -> dict[str, Any]:
    arguments: dict[str, Any] = {"message": report.message, "report": report}
    if name == "dlr_status_changed":
        arguments["previous"] = Status(report.previous)
    elif name == "dlr_failed":
        # A refusal has no err 999 of Messente's. Its payload is our own: others cannot set the source.
        is_refusal = report.source == Source.SEND
        temporary = report.err == ErrorCode.TEMPORARY or (is_refusal and report.payload.get("temporary") is True)
        # A person can send the signals of an old report again, which must not send its message again.
        is_due = report.dispatch_due_at is not None
        message = report.message
        arguments["temporary"] = temporary
        arguments["will_resend"] = temporary and message is not None and resend_hook.resend(message, is_due=is_due)
    elif name == "dlr_channel_failed":
        arguments["channel"] = str(report.payload.get("channel") or "")
    elif name.startswith("credits_"):
        arguments["account"] = report.account
    return arguments


def _send(signal: Signal, **arguments: Any) -> list[str]:
    """Call all receivers and return a line for each that raised. The signal logs the traceback."""
    return [
        one_line(signals.error_line(receiver, response), limit=2 * signals.MAX_ERROR)
        for receiver, response in signal.send_robust(sender=SmsMessage, **arguments)
        if isinstance(response, Exception)
    ]
