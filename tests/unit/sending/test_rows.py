"""The row of a message is written again after a conflict, and never after a lost connection."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from django.db import OperationalError, transaction

from django_messente_dlr.exceptions import SendInsideTransaction
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.sending import rows

pytestmark = pytest.mark.django_db(transaction=True)
BUSY, IO_ERROR = 5, 10  # SQLite's result codes: locked by another writer, and a failure of the disk


def build() -> SmsMessage:
    return rows.build_message("+37255500000", text="", sender="", account="default", metadata=None)


def fail_once_after(monkeypatch: pytest.MonkeyPatch, code: int) -> list[SmsMessage]:
    """Let the first insert raise an error of the database after it has written its rows."""
    inserted: list[SmsMessage] = []
    insert = rows.insert

    def failing(message: SmsMessage, **options: Any) -> None:
        insert(message, **options)
        inserted.append(message)
        if len(inserted) == 1:
            cause = sqlite3.OperationalError("database is locked")
            cause.sqlite_errorcode = code
            raise OperationalError from cause

    monkeypatch.setattr(rows, "insert", failing)
    return inserted


def test_insert_durably__after_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    inserted = fail_once_after(monkeypatch, BUSY)
    message = rows.insert_durably(build())
    assert len(inserted) == 2
    assert SmsMessage.objects.get() == message
    assert PendingPoll.objects.get().message == message


def test_insert_durably__after_another_error(monkeypatch: pytest.MonkeyPatch) -> None:
    inserted = fail_once_after(monkeypatch, IO_ERROR)
    with pytest.raises(OperationalError):
        rows.insert_durably(build())
    assert len(inserted) == 1
    assert not SmsMessage.objects.exists()


def test_insert_durably__inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(SendInsideTransaction):
        rows.insert_durably(build())
    assert not SmsMessage.objects.exists()
