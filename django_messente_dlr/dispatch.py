"""From what the ledger has committed to signals: after the commit, at least once, also after a crash.

The report's row carries the names of the signals that are still to be sent and when somebody else may take that
over (``dispatch_due_at``). Whoever recorded the report sends them at once; where that process died, the sweep does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.dispatch import Signal
from django.utils import timezone

from django_messente_dlr import crowd, notes, retries, signals
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.notes import Note
from django_messente_dlr.querysets import claim
from django_messente_dlr.statuses import Status

logger = logging.getLogger(__name__)

# Longer than receivers may take while Messente waits for its answer (10 s), shorter than anybody likes to wait.
LEASE = timedelta(minutes=2)
BATCH = 100
MAX_ERROR = 1000  # characters of what one receiver's error says


def is_heard(names: Iterable[str]) -> bool:
    """Tell whether anybody listens to one of the signals of these names."""
    return any(signals.BY_NAME[name].receivers and signals.BY_NAME[name].has_listeners(SmsMessage) for name in names)


def plan(*, now: datetime, heard: bool) -> dict[str, datetime | None]:
    """Return what a new report's row says of its dispatch: due, or done where nobody listens.

    Args:
        now: the present.
        heard: whether anybody listens.
    """
    return {"dispatch_due_at": now + LEASE if heard else None, "dispatched_at": None if heard else now}


def after_commit(report: DeliveryReport, *, fresh: bool = False) -> None:
    """Dispatch ``report`` as soon as the present transaction is committed, whatever goes wrong in doing so.

    Args:
        report: its row.
        fresh: whether it and its message are just what was committed, so that nothing need be read.
    """
    using = router.db_for_write(DeliveryReport)
    due, read = report.dispatch_due_at, report if fresh else None
    transaction.on_commit(lambda: dispatch(report.pk, due=due, read=read), using=using, robust=True)


def dispatch(report_pk: int, *, due: datetime | None = None, read: DeliveryReport | None = None) -> bool:
    """Send the signals of one report and note that they were sent; return whether every receiver was well.

    Args:
        report_pk: the primary key of its row.
        due: its ``dispatch_due_at`` as whoever calls has set it. Where the row says otherwise by now, somebody else
            has taken over and nothing is sent here. None sends in any case, and again if need be.
        read: its row as it is in the database, with its message; None to have it read.
    """
    using = router.db_for_write(DeliveryReport)
    report = read or retries.patiently(lambda: _read(report_pk, using=using), using=using)
    if due not in {None, report.dispatch_due_at}:
        return True
    failures: list[str] = []
    for name in report.signals:
        failures += _send(signals.BY_NAME[name], **_arguments(name, report))
    note = Note(report.pk, report.dispatch_due_at, timezone.now(), "\n".join(failures))
    # Whoever had the row read (the sweep, the admin, a transaction around the report) may look at it next.
    if read is None or failures or not crowd.of(using).take_in(note):
        notes.write(using, note)
    return not failures


def _read(report_pk: int, *, using: str) -> DeliveryReport:
    return DeliveryReport.objects.using(using).select_related("message").get(pk=report_pk)


def announce_restored(account: str, *, due: datetime) -> None:
    """Send ``credits_restored`` for an account whose hold was ended by a balance check or a person.

    Args:
        account: its name.
        due: its ``restored_dispatch_due_at`` as whoever calls has set it. Where the row says otherwise afterwards,
            another outage has ended meanwhile, which is told of by itself.
    """
    _send(signals.credits_restored, message=None, report=None, account=account)
    Account.objects.filter(name=account, restored_dispatch_due_at=due).update(restored_dispatch_due_at=None)


def sweep(now: datetime | None = None) -> int:
    """Send the signals that a process that died has left unsent; return the number of reports dispatched.

    Args:
        now: the time at which they are overdue; None for the present.
    """
    moment = now or timezone.now()
    done = 0
    while claimed := DeliveryReport.objects.claim_dispatch(BATCH, now=moment, lease=_from(moment)):
        for report in claimed:
            try:
                dispatch(report.pk, due=report.dispatch_due_at)
            except Exception:  # one report's trouble must not keep the others' signals back
                logger.exception("The signals of delivery report %s could not be sent.", report.pk)
            else:
                done += 1
    until = moment + _from(moment)
    restored = Account.objects.filter(restored_dispatch_due_at__lte=moment)
    for account in claim(restored, "restored_dispatch_due_at", count=BATCH, until=until):
        announce_restored(account.name, due=until)
    return done


def _from(moment: datetime) -> timedelta:
    """Return how long after ``moment``, when a sweep began, a claim of now has to last."""
    return max(timezone.now() - moment, timedelta(0)) + LEASE


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
