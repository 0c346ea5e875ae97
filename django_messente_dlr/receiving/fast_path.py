"""Records the expected report without reading first: a final report about a message that is `sent`.

The report is decided on the assumption that its message is sent and has the report's id. One conditional write
carries that out, or nothing at all, and does not wait for a locked message. In every other case `try_write` returns
False, and the ORM path reads the message. All statements go through Django's cursors, so that tracers, tenants and
custom backends see and shape them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import Error, IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.signals import post_init, post_save, pre_init, pre_save

from django_messente_dlr import dispatch
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import sql
from django_messente_dlr.receiving.batch import in_atomic_batch, savepoint
from django_messente_dlr.receiving.lookup import ReportTarget
from django_messente_dlr.receiving.transitions import decide, is_out_of_credits
from django_messente_dlr.utils import db_retry

logger = logging.getLogger(__name__)

MODEL_SIGNALS = (pre_init, post_init, pre_save, post_save)
# A row with an id: one without stands for a whole omnimessage, which has not ended where one channel has failed.
EXPECTED_MESSAGE = SmsMessage(sms_unique_id="expected", status=sql.EXPECTED.value, rank=sql.EXPECTED.rank)
_logged_errors: set[type[Exception]] = set()


def try_write(
    report: Report, status: Status | None, address: ReportTarget, *, columns: Mapping[str, Any], now: datetime
) -> bool:
    """Record a report in the expected case; return False, with nothing written, in any other.

    An error returns False too, as the ORM path does not depend on what failed; it is logged once for each class.

    Args:
        report: the report.
        status: what it reports, or None.
        address: which message it names.
        columns: the values of the report's row, without what the report does to its message.
        now: the current time.

    Raises:
        Exception: a transaction of the caller cannot go on after an error.
    """
    if status is None or not status.is_final or not report.sms_unique_id or not report.stat:
        return False
    transition = decide(EXPECTED_MESSAGE, report, status, now=now)
    connection = connections[router.db_for_write(DeliveryReport)]
    if is_out_of_credits(report, status) or not _can_write(connection):
        return False
    signals = ("dlr_received", *transition.signals)
    has_receivers = dispatch.has_receivers(signals)
    values = {**columns, **dispatch.dispatch_fields(now=now, has_receivers=has_receivers)}
    changes = {"error_text": report.error_text, "price": report.price, "parts": report.parts}
    parameters = {
        **{name: _prepared(DeliveryReport, name, value, connection) for name, value in values.items()},
        **{name: _prepared(SmsMessage, name, value, connection) for name, value in changes.items()},
        "channel": report.channel or None,
        "message_err": transition.changes["err"],
        "message_id": address.message_key and address.message_key.pk,
        "created_at": address.message_key
        and _prepared(SmsMessage, "created_at", address.message_key.created_at, connection),
    }
    is_alone = not connection.in_atomic_block
    # Of MySQL and MariaDB, only the latter has RETURNING, and blocks of statements.
    is_block = connection.vendor == "mysql" and is_alone and connection.features.can_return_columns_from_insert
    statements = sql.statements(
        "mariadb" if is_block else connection.vendor,
        status,
        signals,
        by_primary_key=address.message_key is not None,
        returning_message=has_receivers and not dispatch.is_deferred(),
    )
    try:
        with nullcontext() if is_alone and len(statements) == 1 else savepoint(connection.alias):
            row = _execute(connection, statements, parameters)
    except Exception as exc:
        if connection.in_atomic_block and transaction.get_rollback(using=connection.alias):
            raise  # the transaction around this one is lost with it
        _log_once(exc)
        return False
    if row and has_receivers and dispatch.is_deferred():
        dispatch.push_on_commit(row[0], using=connection.alias)
    elif row and has_receivers:
        values |= {"outcome": ReportOutcome.ADVANCED.value, "previous": sql.EXPECTED.value, "signals": list(signals)}
        _dispatch(connection, row, values)
    return row is not None


def _can_write(connection: BaseDatabaseWrapper) -> bool:
    """Return whether one supported database has all tables, and no receiver expects Django's signals of the row."""
    if any(router.db_for_write(model) != connection.alias for model in (SmsMessage, PendingPoll, Account)):
        return False
    if not (connection.in_atomic_block or connection.get_autocommit()):
        return False  # the project commits its own transactions
    if connection.vendor == "mysql" and connection.in_atomic_block and not in_atomic_batch():
        # With snapshot isolation, InnoDB undoes the caller's transaction if a locking read finds a newer row.
        return False
    supported = {
        "postgresql": True,
        "mysql": connection.features.has_select_for_update_skip_locked,
        "sqlite": connection.features.can_return_columns_from_insert,
    }
    has_listeners = any(signal.has_listeners(DeliveryReport) for signal in MODEL_SIGNALS)
    return supported.get(connection.vendor, False) and not has_listeners


def _execute(
    connection: BaseDatabaseWrapper, statements: Sequence[str], parameters: Mapping[str, Any]
) -> Sequence[Any] | None:
    """Execute the statements; return the report's primary key, and the message's columns or its primary key."""
    with connection.cursor() as cursor:
        cursor.execute(statements[0], parameters)
        row: Sequence[Any] | None = cursor.fetchone()
        if row is None or len(statements) == 1:
            return row
        for statement in statements[1:]:
            cursor.execute(statement, {**parameters, "message_id": row[0]})
        return cursor.lastrowid, row[0]


def _prepared(model: type[Model], name: str, value: Any, connection: BaseDatabaseWrapper) -> Any:
    """Return a value as the database takes it in a column; any database takes text and integers as they are."""
    if value is None or isinstance(value, str | int):
        return value
    field: Any = model._meta.get_field(name)  # noqa: SLF001 - documented
    return field.get_db_prep_save(value, connection)


def _dispatch(connection: BaseDatabaseWrapper, row: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Dispatch the report that was written, with the message that the statement returned or with one that is read."""
    report_pk, message_pk, *_ = row
    report = DeliveryReport(id=report_pk, message_id=message_pk, **values)
    report._state.adding, report._state.db = False, connection.alias  # noqa: SLF001 - documented
    message = None
    if len(row) > 2:
        fields = sql.concrete_fields(SmsMessage)
        read = [
            field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
            for field, value in zip(fields, row[1:], strict=True)
        ]
        message = SmsMessage.from_db(connection.alias, [field.attname for field in fields], read)
    dispatch.dispatch_on_commit(report, is_current=True, message=message)


def _log_once(error: Exception) -> None:
    """Log an error once for each class, but for those that are expected.

    A duplicate, most likely, is an IntegrityError, which the ORM path counts. For contention it waits.
    """
    expected = isinstance(error, IntegrityError) or (isinstance(error, Error) and db_retry.is_contention(error))
    if expected or type(error) in _logged_errors:
        return
    _logged_errors.add(type(error))
    logger.warning(
        "The fast path failed (%s); reports are recorded by the ORM instead.", type(error).__name__, exc_info=error
    )
