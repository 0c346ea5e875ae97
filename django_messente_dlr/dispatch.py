"""Send the signals of recorded reports: after the commit and at least once, even if a process crashes.

The row of a report contains the names of its signals and ``dispatch_due_at``. The process that records the report
sends the signals after the commit. If it dies before they are sent, the sweep sends them after ``dispatch_due_at``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router, transaction
from django.dispatch import Signal
from django.utils import timezone

from django_messente_dlr import signals
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.querysets import claim_rows
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import elapsed, shift

logger = logging.getLogger(__name__)

# Longer than receivers may run while Messente waits for a response (10 s); short enough as a delay after a crash.
DISPATCH_LEASE = timedelta(minutes=2)
BATCH = 100
# Receivers of these may send the message again. They are not sent if a later report has delivered the message.
FAILURE_SIGNALS = frozenset({"dlr_failed", "temporary_failure"})
DELIVERED_MEANWHILE = "dlr_failed was not sent, because another report has delivered the message since."
# Fixed texts: the ORM takes longer to compile these statements than the database to execute them.
READ_MESSAGE = f"SELECT * FROM {SmsMessage._meta.db_table} WHERE id = %s"  # noqa: S608, SLF001
DISPATCHED_AT: Any = DeliveryReport._meta.get_field("dispatched_at")  # noqa: SLF001
MARK_DISPATCHED = (
    f"UPDATE {DeliveryReport._meta.db_table} SET dispatched_at = %(now)s, dispatch_due_at = NULL,"  # noqa: S608, SLF001
    " dispatch_error = %(error)s, dispatch_failed_at = %(failed_at)s WHERE id = %(pk)s"
)


def has_receivers(names: Iterable[str]) -> bool:
    """Return whether a receiver is connected to one of the signals of these names."""
    return any(signals.BY_NAME[name].has_listeners(SmsMessage) for name in names)


def dispatch_fields(*, now: datetime, has_receivers: bool) -> dict[str, datetime | None]:
    """Return the dispatch columns of a report that is received now: due, or dispatched if it has no receivers."""
    return {
        "dispatch_due_at": shift(now, DISPATCH_LEASE) if has_receivers else None,
        "dispatched_at": None if has_receivers else now,
    }


def dispatch_on_commit(
    report: DeliveryReport, *, is_current: bool = False, message: SmsMessage | None = None
) -> None:
    """Dispatch a report after the current transaction is committed. An error is logged; the sweep then retries.

    Args:
        report: the report's row.
        is_current: whether the row is the stored one. Inside a transaction of the caller it is read again anyway.
        message: the message as it is stored, if the row is current. None reads it.
    """
    using = router.db_for_write(DeliveryReport)
    due_at = report.dispatch_due_at
    current = report if is_current and not connections[using].in_atomic_block else None
    transaction.on_commit(
        lambda: dispatch_report(report.pk, due_at=due_at, report=current, message=message), using=using, robust=True
    )


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
        if name in FAILURE_SIGNALS and has_receivers([name]) and _is_delivered_meanwhile(report):
            note = DELIVERED_MEANWHILE
        else:
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
    """Read the message of a failure again and return whether another report has delivered it since."""
    if report.message is None:
        return False
    report.message.refresh_from_db(using=router.db_for_write(SmsMessage))
    return Status(report.message.status).is_delivery


def send_credits_restored(account: str, *, due: datetime) -> None:
    """Send ``credits_restored`` for an account whose credit hold was ended by a balance check or a person.

    Args:
        account: the account's name.
        due: the ``restored_dispatch_due_at`` that the caller has set. If the row has another value after the signal,
            another outage has ended since, and its own signal stays due.
    """
    _send(signals.credits_restored, message=None, report=None, account=account)
    Account.objects.filter(name=account, restored_dispatch_due_at=due).update(restored_dispatch_due_at=None)


def dispatch_overdue(now: datetime | None = None) -> int:
    """Send the signals that are overdue at a time, by default now; return the number of reports dispatched."""
    moment, done = now or timezone.now(), 0
    while claimed := DeliveryReport.objects.claim_dispatch(BATCH, now=moment, lease=_lease_since(moment)):
        for report in claimed:
            try:
                dispatch_report(report.pk, due_at=report.dispatch_due_at)
            except Exception:  # an error with one report must not delay the signals of the others
                logger.exception("The signals of delivery report %s could not be sent.", report.pk)
            else:
                done += 1
    until = shift(moment, _lease_since(moment))
    restored = Account.objects.filter(restored_dispatch_due_at__lte=moment)
    for account in claim_rows(restored, "restored_dispatch_due_at", count=BATCH, until=until):
        send_credits_restored(account.name, due=until)
    return done


def _lease_since(moment: datetime) -> timedelta:
    """Return the time from the start of a sweep (``moment``) to the end of a lease that starts now."""
    return max(elapsed(moment, timezone.now()), timedelta(0)) + DISPATCH_LEASE


def _arguments(name: str, report: DeliveryReport) -> dict[str, Any]:
    arguments: dict[str, Any] = {"message": report.message, "report": report}
    if name == "dlr_status_changed":
        arguments["previous"] = Status(report.previous)
    elif name == "dlr_failed":
        arguments["temporary"] = report.err == ErrorCode.TEMPORARY
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
