"""The SQL of the fast path: one fixed text for each database, final status and list of signals.

This app's own vocabulary (status, rank, outcome, signals) is written as literals; all other values are named
parameters, so that no text depends on what Messente sends.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.db.models import Model

from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.phone_numbers import PSEUDONYM_PREFIX

# The status that the message is expected to have; the report is decided on this assumption.
EXPECTED = Status.SENT


@cache
def statements(
    vendor: str, status: Status, signals: tuple[str, ...], *, by_primary_key: bool, returning_message: bool
) -> tuple[str, ...]:
    """Return the statements that record one report.

    The first returns a row if the message is as expected, and changes nothing otherwise. If it is the only one, the
    row has the primary key of the report and that of the message or, on PostgreSQL, its columns on demand. Otherwise
    it has the primary key of the message, which the other statements take as ``message_id``.

    Args:
        vendor: "postgresql", "mysql", "sqlite", or "mariadb" for a block that is a transaction of its own.
        status: what the report reports.
        signals: the names of the signals to send.
        by_primary_key: whether the message is found by its `MessageKey`, or else by its ``sms_unique_id``.
        returning_message: whether PostgreSQL returns the message.
    """
    message, pending, report = (model._meta.db_table for model in (SmsMessage, PendingPoll, DeliveryReport))  # noqa: SLF001 - documented
    key = {"postgresql": "moved.id", "mariadb": "target"}.get(vendor, "%(message_id)s")
    columns = report_columns(status, signals, message=key)
    insert = f"INSERT INTO {report} ({', '.join(columns)})"
    values = ", ".join(columns.values())
    conditions = _conditions(status, by_primary_key=by_primary_key)
    if vendor == "postgresql":
        # The lock of an UPDATE, which a foreign key to the message does not exclude.
        statement = (
            f"WITH target AS (SELECT m.id FROM {message} AS m WHERE {conditions} FOR NO KEY UPDATE SKIP LOCKED),"
            f" moved AS (UPDATE {message} AS m SET {_changes(status)} FROM target WHERE m.id = target.id"
            f" RETURNING {', '.join(f'm.{field.column}' for field in concrete_fields(SmsMessage))}),"
            f" ended AS (DELETE FROM {pending} WHERE message_id IN (SELECT id FROM moved)),"
            f" inserted AS ({insert} SELECT {values} FROM moved RETURNING id AS report_id)"
        )
        returned = "report_id, moved.*" if returning_message else "report_id"
        return (f"{statement} SELECT {returned} FROM inserted, moved",)
    writes: tuple[str, ...] = (f"DELETE FROM {pending} WHERE message_id = {key}", f"{insert} VALUES ({values})")
    if vendor == "sqlite":
        # A transaction of SQLite's that begins with a read cannot write once another process has written.
        return f"UPDATE {message} AS m SET {_changes(status)} WHERE {conditions} RETURNING id", *writes
    found = f"FROM {message} AS m WHERE {conditions} FOR UPDATE SKIP LOCKED"
    writes = (f"UPDATE {message} AS m SET {_changes(status, rank='m.rank')} WHERE m.id = {key}", *writes)
    if vendor == "mysql":
        return f"SELECT m.id {found}", *writes
    block = (
        "BEGIN NOT ATOMIC DECLARE target BIGINT; DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;"
        f" START TRANSACTION; SELECT m.id INTO target {found};"
        f" IF target IS NOT NULL THEN {'; '.join(writes)}; END IF; COMMIT;"
        " SELECT LAST_INSERT_ID(), target FROM DUAL WHERE target IS NOT NULL; END"
    )
    return (block,)


@cache
def concrete_fields(model: type[Model]) -> list[Any]:
    """Return the fields of a model that have a column, in their order."""
    return [field for field in model._meta.get_fields() if field.concrete]  # noqa: SLF001 - documented


def report_columns(status: Status, signals: tuple[str, ...], *, message: str) -> dict[str, str]:
    """Return the SQL of each column of a report but its primary key.

    Args:
        status: what the report reports.
        signals: the names of the signals to send.
        message: SQL of the message's primary key.
    """
    literals = {
        "status": status.value,
        "outcome": ReportOutcome.ADVANCED.value,
        "previous": EXPECTED.value,
        "signals": json.dumps(signals),
        "dispatch_error": "",
    }
    given = ("account", "sms_unique_id", "omnimessage_id", "source", "stat", "err", "occurred_at", "payload")
    ours = ("fingerprint", "url_key", "signature_key", "received_at", "dispatched_at", "dispatch_due_at")
    return {
        "message_id": message,
        "token_message_id": "NULL",
        "token_created_at": "NULL",
        "times_received": "1",
        "dispatch_failed_at": "NULL",
        **{name: f"'{value}'" for name, value in literals.items()},
        **{name: f"%({name})s" for name in (*given, *ours)},
    }


def _changes(status: Status, *, rank: str = "rank") -> str:
    """Return the assignments of the UPDATE. MySQL reserves the word RANK, unless a table's alias precedes it."""
    # A failure without a text keeps the one that is stored.
    error_text = "%(error_text)s" if status.is_delivery else "COALESCE(NULLIF(%(error_text)s, ''), error_text)"
    return (
        f"status = '{status.value}', {rank} = {status.rank}, stat = %(stat)s, err = %(message_err)s,"
        f" error_text = {error_text}, price = COALESCE(price, %(price)s), parts = COALESCE(parts, %(parts)s),"
        " channel = COALESCE(%(channel)s, channel), finalised_at = %(received_at)s"
    )


def _conditions(status: Status, *, by_primary_key: bool) -> str:
    conditions = f"m.sms_unique_id = %(sms_unique_id)s AND m.account = %(account)s AND m.rank = {EXPECTED.rank}"
    # A report about an erased message must not store the number again. The ORM path removes it.
    conditions += f" AND m.recipient NOT LIKE '{PSEUDONYM_PREFIX}%%'"
    if by_primary_key:
        conditions = f"m.id = %(message_id)s AND m.created_at = %(created_at)s AND {conditions}"
    if status.is_delivery:
        # A delivery may end a credit hold, which takes more than these statements.
        conditions += (
            f" AND NOT EXISTS (SELECT 1 FROM {Account._meta.db_table} AS a"  # noqa: SLF001 - documented
            " WHERE a.name = m.account AND a.credits_exhausted_at IS NOT NULL)"
        )
    return conditions
