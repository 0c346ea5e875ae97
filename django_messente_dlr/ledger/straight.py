"""The straight way of an ordinary report, which is nearly every one: no question first, and no second look.

Its message waits as sent, with the id that the report tells, and the report moves it. That is presumed, decided on as
always, and written on the condition that it is so; then nothing had to be read. Where it is not so, nothing is
written, and the report goes the long way, which reads its message first.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from django.db import IntegrityError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_init, post_save, pre_init, pre_save

from django_messente_dlr import crowd, dispatch
from django_messente_dlr.ledger import mariadb, portable, postgres
from django_messente_dlr.ledger.finding import Address
from django_messente_dlr.ledger.transitions import Outcome, Transition, decide
from django_messente_dlr.ledger.writing import Writing
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import Account, DeliveryReport, PendingReport, SmsMessage
from django_messente_dlr.statements import fields, instance
from django_messente_dlr.statuses import Status

WRITERS = {"postgresql": postgres.write, "mysql": mariadb.write, "sqlite": portable.write}
MESSAGE = DeliveryReport._meta.get_field("message")  # noqa: SLF001 - of Django's documented API
DJANGO_SIGNALS = (pre_init, post_init, pre_save, post_save)
# What a message was before: one that is seen had been delivered, all others had been sent. It has an id, whichever:
# one without stands for a whole omnimessage, which has not ended where one of its channels has failed.
PRESUMED = {
    status: SmsMessage(sms_unique_id="the report's", status=before.value, rank=before.rank)
    for status in Status
    for before in [Status.DELIVERED if status is Status.SEEN else Status.SENT]
    if status.rank > before.rank
}


def go(report: Report, status: Status | None, address: Address, *, row: dict[str, Any], now: datetime) -> bool:
    """Write a report the straight way; return whether it could be done so.

    Args:
        report: what was said.
        status: what it amounts to.
        address: whose it says it is.
        row: the columns of its row, without what it does to its message.
        now: the present.
    """
    presumed = PRESUMED.get(status) if status else None
    connection = _database()
    if presumed is None or status is None or not report.sms_unique_id or connection is None:
        return False
    alias, transition = connection.alias, decide(presumed, report, status, now=now)
    if transition.cause is ErrorCode.OUT_OF_CREDITS:
        return False
    names = ("dlr_received", *transition.signals)
    heard = dispatch.is_heard(names)
    told = {**row, **_told(transition, names), **dispatch.plan(now=now, heard=heard)}
    # A transaction around us may be undone, and the notes with it.
    noted = () if connection.in_atomic_block else crowd.of(alias).hand_out()
    written: tuple[Any, SmsMessage] | bool = False
    try:
        writing = Writing.of(
            connection,
            changes=transition.changes,
            expected=_expected(transition, report, address),
            unless_held=address.account if status.is_delivery else "",
            ends_waiting=transition.ends_waiting,
            row={**told, "signals": names},
            noted=noted,
        )
        written = WRITERS[connection.vendor](connection, writing, tell=heard)
    except IntegrityError:
        return False  # it is there already, most likely: the long way finds out
    finally:
        if noted and not written:
            crowd.of(alias).give_back(noted)
    if isinstance(written, tuple):
        # Where a transaction is under way around us, what it does after us counts too.
        dispatch.after_commit(_instance(alias, told, *written), fresh=not connection.in_atomic_block)
    return bool(written)


def _database() -> BaseDatabaseWrapper | None:
    """Return the one database for all of it, or None where there is none that can, or somebody wants to be asked."""
    alias = router.db_for_write(DeliveryReport)
    # Without a router of the project's, all is in one.
    if router.routers and any(router.db_for_write(model) != alias for model in (SmsMessage, PendingReport, Account)):
        return None
    connection = connections[alias]
    if connection.vendor not in WRITERS or not (connection.in_atomic_block or connection.get_autocommit()):
        return None
    # A project that listens to Django's own signals of the row is told of every row.
    listened = [signal for signal in DJANGO_SIGNALS if signal.receivers and signal.has_listeners(DeliveryReport)]
    return None if listened else connection


def _expected(transition: Transition, report: Report, address: Address) -> dict[str, Any]:
    expected: dict[str, Any] = {"id": address.named} if address.named is not None else {}
    expected |= {"sms_unique_id": report.sms_unique_id, "account": address.account, **transition.expected}
    # What only adds is not to change what is there.
    return expected | {name: None for name in ("price", "parts") if name in transition.changes}


def _told(transition: Transition, names: tuple[str, ...]) -> dict[str, Any]:
    previous = transition.previous.value if transition.previous else ""
    return {"outcome": Outcome.ADVANCED.value, "previous": previous, "signals": list(names)}


def _instance(alias: str, told: dict[str, Any], pk: Any, message: SmsMessage) -> DeliveryReport:
    report = instance(alias, DeliveryReport, {**_blank(), **told, "id": pk, "message_id": message.pk})
    MESSAGE.set_cached_value(report, message)
    return report


@cache
def _blank() -> dict[str, Any]:
    blank = DeliveryReport()
    return {name: getattr(blank, name) for name in fields(DeliveryReport)}
