"""From what the ledger has committed to signals: after the commit, at least once, also after a crash.

The report's row carries the names of the signals that are still to be sent and when somebody else may take that
over (``dispatch_due_at``). Whoever recorded the report sends them at once; where that process died, the sweep does.
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
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.querysets import claim_rows
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry

logger = logging.getLogger(__name__)

# Longer than receivers may take while Messente waits for its answer (10 s), shorter than anybody likes to wait.
DISPATCH_LEASE = timedelta(minutes=2)
BATCH = 100
# Not sent for a message that was delivered between the report of its failure and its dispatch: their receivers would
# send it again.
FAILURE_SIGNALS = frozenset({"dlr_failed", "temporary_failure"})
DELIVERED_MEANWHILE = "dlr_failed was not sent: another report has delivered the message meanwhile."
# Fixed text here and below, as it follows each report that has receivers: the ORM takes longer to compile a statement
# than the database to execute it.
READ_MESSAGE = f"SELECT * FROM {SmsMessage._meta.db_table} WHERE id = %s"  # noqa: S608, SLF001
DISPATCHED_AT: Any = DeliveryReport._meta.get_field("dispatched_at")  # noqa: SLF001 - documented
MARK_DISPATCHED = (
    f"UPDATE {DeliveryReport._meta.db_table} SET dispatched_at = %(now)s, dispatch_due_at = NULL,"  # noqa: S608, SLF001
    " dispatch_error = %(error)s, dispatch_failed_at = %(failed_at)s WHERE id = %(pk)s"
)
MAX_ERROR = 1000  # characters of what one receiver's error says


def has_receivers(names: Iterable[str]) -> bool:
    """Return whether a receiver is connected to one of the signals of these names."""
    return any(signals.BY_NAME[name].has_listeners(SmsMessage) for name in names)


def dispatch_fields(*, now: datetime, has_receivers: bool) -> dict[str, datetime | None]:
    """Return the dispatch columns of a new report: due, or done where its signals have no receivers.

    Args:
        now: the current time.
        has_receivers: whether one of its signals has a receiver.
    """
    return {
        "dispatch_due_at": now + DISPATCH_LEASE if has_receivers else None,
        "dispatched_at": None if has_receivers else now,
    }


def dispatch_on_commit(
    report: DeliveryReport, *, is_current: bool = False, message: SmsMessage | None = None
) -> None:
    """Dispatch a report when the current transaction is committed. What fails then is logged and left to the sweep.

    Args:
        report: its row.
        is_current: whether the row is what the database stores, so that it need not be read again. Inside a
            transaction of the caller it is read in any case.
        message: its message as the database stores it, where the row is current; None reads it.
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
        report_pk: its primary key.
        due_at: the ``dispatch_due_at`` that the caller has written. Where the row has another one by now, another
            process has taken over and nothing is sent here. None sends in any case.
        report: its row as the database stores it; None reads it with its message.
        message: its message, where the row is given; None reads it.
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
    errors: list[str] = []
    note = ""
    for name in report.signals:
        if name in FAILURE_SIGNALS and has_receivers([name]) and _is_delivered_meanwhile(report):
            note = DELIVERED_MEANWHILE
        else:
            errors += _send(signals.BY_NAME[name], **_arguments(name, report))
    mark_dispatched(report, due_at=report.dispatch_due_at, errors="\n".join(errors), note=note)
    return not errors


def mark_dispatched(report: DeliveryReport, *, due_at: datetime | None, errors: str = "", note: str = "") -> None:
    """Write that the signals of a report were sent.

    Args:
        report: its row.
        due_at: its ``dispatch_due_at`` when they were sent. Where the row has another one by now it stays due: an
            orphan that was matched meanwhile has other signals.
        errors: what its receivers raised, a line each.
        note: what else there is to know, where nothing was raised.

    Raises:
        Error: the database could not be written to.
    """
    connection, now = connections[router.db_for_write(DeliveryReport)], timezone.now()
    is_due = "= %(due_at)s" if due_at else "IS NULL"
    statement = f"{MARK_DISPATCHED} AND dispatch_due_at {is_due}"
    times = {"now": now, "due_at": due_at, "failed_at": now if errors else None}
    parameters = {name: DISPATCHED_AT.get_db_prep_save(time, connection) for name, time in times.items()}

    def update() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**parameters, "error": errors or note, "pk": report.pk})

    db_retry.retry_on_contention(update, using=connection.alias)


def _is_delivered_meanwhile(report: DeliveryReport) -> bool:
    """Read the message of a failure again; return whether another report has delivered it since."""
    if report.message is None:
        return False
    report.message.refresh_from_db(using=router.db_for_write(SmsMessage))
    return Status(report.message.status).is_delivery


def send_credits_restored(account: str, *, due: datetime) -> None:
    """Send ``credits_restored`` for an account whose hold was ended by a balance check or a person.

    Args:
        account: its name.
        due: its ``restored_dispatch_due_at`` as whoever calls has set it. Where the row says otherwise afterwards,
            another outage has ended meanwhile, which is told of by itself.
    """
    _send(signals.credits_restored, message=None, report=None, account=account)
    Account.objects.filter(name=account, restored_dispatch_due_at=due).update(restored_dispatch_due_at=None)


def dispatch_overdue(now: datetime | None = None) -> int:
    """Send the signals that a process that died has left unsent; return the number of reports dispatched.

    Args:
        now: the time at which they are overdue; None for the present.
    """
    moment = now or timezone.now()
    done = 0
    while claimed := DeliveryReport.objects.claim_dispatch(BATCH, now=moment, lease=_from(moment)):
        for report in claimed:
            try:
                dispatch_report(report.pk, due_at=report.dispatch_due_at)
            except Exception:  # one report's trouble must not keep the others' signals back
                logger.exception("The signals of delivery report %s could not be sent.", report.pk)
            else:
                done += 1
    until = moment + _from(moment)
    restored = Account.objects.filter(restored_dispatch_due_at__lte=moment)
    for account in claim_rows(restored, "restored_dispatch_due_at", count=BATCH, until=until):
        send_credits_restored(account.name, due=until)
    return done


def _from(moment: datetime) -> timedelta:
    """Return how long after ``moment``, when a sweep began, a claim of now has to last."""
    return max(timezone.now() - moment, timedelta(0)) + DISPATCH_LEASE


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
    """Call every receiver and return what went wrong, a line each; the signal logs it with its traceback."""
    return [
        f"{signals.name_of(receiver)}: {type(response).__name__}: {_text_of(response)}"
        for receiver, response in signal.send_robust(sender=SmsMessage, **arguments)
        if isinstance(response, Exception)
    ]


def _text_of(error: Exception) -> str:
    """Return what a receiver's error says, as any database takes it: else its signals would be sent for ever."""
    try:
        told = str(error)
    except Exception:  # noqa: BLE001 - it is the project's class, and may do anything
        told = "its text cannot be read"
    return told[:MAX_ERROR].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
