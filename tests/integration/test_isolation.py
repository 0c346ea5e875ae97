"""What a transaction does not see, since it has looked before, keeps no report from its message."""

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
from tests.isolation import LEVELS, elsewhere, isolated

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]


def report() -> None:
    """Messente tells that the account is out of credits."""
    receiving.record(parse_callback("sms_unique_id=an-id&stat=REJECTD&err=4"), account="default")


def register() -> None:
    track_sms("an-id")


class Another:
    """Enters the account on another connection, just before it is entered on this one."""

    def __init__(self) -> None:
        self.entered = False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "messente_dlr_account" in sql and not self.entered:
            self.entered = True
            elsewhere(lambda: Account.objects.create(name="default"))
        return execute(sql, params, many, context)


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
@pytest.mark.parametrize(("first", "then"), [(report, register), (register, report)])
def test_an_account_that_another_enters_meanwhile_is_no_trouble(
    level: str, first: Callable[[], None], then: Callable[[], None], dlr_signals: SignalLog
) -> None:
    """Both hear for the first time that the account is out of credits, which is noted in its row."""
    another = Another()
    with isolated(level):
        first()
        if first is register:
            Account.objects.all().delete()
        with connection.execute_wrapper(another):
            then()
    assert another.entered
    assert SmsMessage.objects.get().status == "rejected"
    assert Account.objects.get().credits_exhausted_at is not None
    assert sorted(dlr_signals.names) == ["credits_exhausted", "dlr_failed", "dlr_received", "dlr_status_changed"]


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
def test_what_is_noted_of_an_account_is_noted_though_another_enters_it_meanwhile(level: str) -> None:
    notes: list[Callable[[], object]] = [
        lambda: accounts.record_poll("default", now=timezone.now(), error="It was refused."),
        lambda: accounts.record_balance("default", Decimal("1.5"), now=timezone.now()),
    ]
    with isolated(level):
        for note in notes:
            Account.objects.all().delete()
            another = Another()
            with connection.execute_wrapper(another):
                note()
            assert another.entered
            account = Account.objects.get()
            assert (account.last_poll_error, account.balance) in {("It was refused.", None), ("", Decimal("1.5"))}
