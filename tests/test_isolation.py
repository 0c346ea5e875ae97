"""What a transaction does not see, since it has looked before, keeps no report from its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from django_messente_dlr import ledger
from django_messente_dlr.messente.readers import read_callback
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.plugin import SignalLog
from tests.isolation import LEVELS, elsewhere, isolated

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]


def report() -> None:
    """Messente tells that the account is out of credits."""
    ledger.record(read_callback("sms_unique_id=an-id&stat=REJECTD&err=4"), account="default")


def register() -> None:
    track_sms("an-id")


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
@pytest.mark.parametrize(("first", "then"), [(report, register), (register, report)])
def test_an_account_that_another_enters_meanwhile_is_no_trouble(
    level: str, first: Callable[[], None], then: Callable[[], None], dlr_signals: SignalLog
) -> None:
    """Both hear for the first time that the account is out of credits, which is noted in its row."""
    entered: list[str] = []

    def be_faster(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "messente_dlr_account" in sql and not entered:
            entered.append(sql)
            elsewhere(lambda: Account.objects.create(name="default"))
        return execute(sql, params, many, context)

    with isolated(level):
        first()
        if first is register:
            Account.objects.all().delete()
        with connection.execute_wrapper(be_faster):
            then()
    assert entered
    assert SmsMessage.objects.get().status == "rejected"
    assert Account.objects.get().credits_exhausted_at is not None
    assert sorted(dlr_signals.names) == ["credits_exhausted", "dlr_failed", "dlr_received", "dlr_status_changed"]
