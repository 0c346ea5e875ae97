"""A project sends reads to a replica, which may lag: the credit hold is read from the database for writes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_messente_dlr import accounts, dispatch
from django_messente_dlr.doctor.checks.keys import check_keys
from django_messente_dlr.doctor.checks.records import check_records
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.models import Account
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import prepare_sms, send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"


class ReplicaRouter:
    """Sends reads of accounts to a database that does not exist, so that each of them raises an error."""

    def db_for_read(self, model: type[Any], **hints: Any) -> str | None:
        return "replica" if model is Account else None


@pytest.fixture
def account(settings: Any) -> Account:
    account: Account = AccountFactory.create(held=True)
    settings.DATABASE_ROUTERS = [ReplicaRouter()]
    return account


@pytest.mark.parametrize("send", [lambda: send_sms(NUMBER, "Hello"), lambda: prepare_sms(NUMBER)])
def test_send__reads_the_hold_of_the_primary(account: Account, send: Callable[[], object]) -> None:
    assert accounts.is_held("default")
    with pytest.raises(CreditsExhausted):
        send()


def test_sweep__reads_the_hold_of_the_primary(
    account: Account, messente_sandbox: Sandbox, dlr_signals: SignalLog
) -> None:
    messente_sandbox.balance = Decimal(5)
    assert sweep().held == {}
    assert not accounts.is_held("default")
    assert dlr_signals.names == ["credits_restored"]


def test_callback__reads_the_hold_of_the_primary(account: Account, dlr_signals: SignalLog, each_path: str) -> None:
    assert simulate_callback(SmsMessageFactory.create()).status_code == 200
    assert simulate_callback(SmsMessageFactory.create(), "REJECTD", 4).status_code == 200
    assert [name for name in dlr_signals.names if name.startswith("credits")] == [
        "credits_restored",
        "credits_exhausted",
    ]


def test_dispatch_overdue__reads_the_restoration_of_the_primary(account: Account, dlr_signals: SignalLog) -> None:
    Account.objects.update(restored_dispatch_due_at=timezone.now())
    dispatch.dispatch_overdue()
    assert dlr_signals.names == ["credits_restored"]


def test_doctor__reads_the_accounts_of_the_primary(account: Account) -> None:
    findings = [*check_records(), *check_keys()]
    assert any("on credit hold" in finding.msg for finding in findings)
