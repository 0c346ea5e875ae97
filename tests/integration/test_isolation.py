"""Rows that a transaction does not see, because of its isolation level, prevent no report or record."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from django_messente_dlr import accounts, receiving
from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import LEVELS, isolated, run_on_other_connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]


def report() -> None:
    """Record a report of Messente that the account is out of credits."""
    receiving.record(parse_callback("sms_unique_id=an-id&stat=REJECTD&err=4"), account="default")


def register() -> None:
    track_sms("an-id")


class InsertAccountFirst:
    """An execute wrapper that inserts the account on another connection just before this connection inserts it."""

    def __init__(self) -> None:
        self.done = False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "messente_dlr_account" in sql and not self.done:
            self.done = True
            run_on_other_connection(lambda: Account.objects.create(name="default"))
        return execute(sql, params, many, context)


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
@pytest.mark.parametrize(("first", "second"), [(report, register), (register, report)])
def test_account__concurrent_insert_keeps_report(
    level: str, first: Callable[[], None], second: Callable[[], None], dlr_signals: SignalLog
) -> None:
    """The first report without credits sets the hold in the account's row, which does not exist yet."""
    insert_first = InsertAccountFirst()
    with isolated(level), connection.execute_wrapper(insert_first):
        first()
        second()
    assert insert_first.done
    assert SmsMessage.objects.get().status == "rejected"
    assert Account.objects.get().credits_exhausted_at is not None
    assert sorted(dlr_signals.names) == ["credits_exhausted", "dlr_failed", "dlr_received", "dlr_status_changed"]


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
def test_account__concurrent_insert_keeps_poll_and_balance(level: str) -> None:
    writers: list[Callable[[], object]] = [
        lambda: accounts.record_poll("default", now=timezone.now(), error="It was refused."),
        lambda: accounts.record_balance("default", Decimal("1.5"), now=timezone.now()),
    ]
    with isolated(level):
        for write in writers:
            Account.objects.all().delete()
            insert_first = InsertAccountFirst()
            with connection.execute_wrapper(insert_first):
                write()
            assert insert_first.done
            account = Account.objects.get()
            assert (account.last_poll_error, account.balance) in {("It was refused.", None), ("", Decimal("1.5"))}
