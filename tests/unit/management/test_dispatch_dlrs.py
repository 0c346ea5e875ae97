"""``dispatch_dlrs``: send the signals that are due, once or until a signal of the system."""

from __future__ import annotations

import json
import os
import signal
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from django_messente_dlr import dispatch, signals
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERED = ["dlr_received", "dlr_status_changed", "dlr_delivered"]


def add_due(number: int = 1, **values: Any) -> list[DeliveryReport]:
    return DeliveryReportFactory.create_batch(number, dispatch_due_at=timezone.now(), dispatched_at=None, **values)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("dispatch_dlrs", *arguments, stdout=out)
    return out.getvalue()


def terminate(**kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_dispatch_dlrs__sends_signals(dlr_signals: SignalLog) -> None:
    add_due(2)
    assert run() == "reports dispatched 2\n"
    assert json.loads(run("--json")) == {"dispatched": 0}
    assert run("--verbosity=0") == ""
    assert dlr_signals.names == ["dlr_received"] * 2


def test_dispatch_dlrs__one_report(dlr_signals: SignalLog) -> None:
    first, second = add_due(2)
    call_command("dispatch_dlrs", report=second.pk, verbosity=0)
    assert list(DeliveryReport.objects.undispatched()) == [first]
    assert run(f"--report={second.pk}") == "reports dispatched 0\n"
    assert dlr_signals.names == ["dlr_received"]


def test_dispatch_dlrs__matches_an_orphan_whose_message_was_committed(dlr_signals: SignalLog) -> None:
    add_due(message=None, sms_unique_id="an-id")
    SmsMessageFactory.create(sms_unique_id="an-id")
    run()
    run()
    assert SmsMessage.objects.get().status == "delivered"
    assert dlr_signals.names == DELIVERED


def test_watch__until_signal() -> None:
    add_due()
    signals.dlr_received.connect(terminate)
    handler = signal.getsignal(signal.SIGTERM)
    assert run("--watch=0.01") == "reports dispatched 1\n"
    assert signal.getsignal(signal.SIGTERM) == handler


def test_watch__database_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    add_due()
    signals.dlr_received.connect(terminate)
    original, errors = dispatch.dispatch_overdue, [OperationalError("server closed")]

    def dispatch_overdue(**options: Any) -> int:
        if errors:
            raise errors.pop()
        return original(**options)

    with (
        mock.patch.object(dispatch, "dispatch_overdue", dispatch_overdue),
        mock.patch("django_messente_dlr.management.connections.connections"),
    ):
        run("--watch=0.01")
    assert errors == []
    assert "the next run tries again" in caplog.text
    assert not DeliveryReport.objects.undispatched().exists()


def test_dispatch_dlrs__exit_status(settings: Any) -> None:
    with (
        mock.patch.object(dispatch, "dispatch_overdue", side_effect=OperationalError("server closed")),
        pytest.raises(CommandError, match="cannot be used: server closed") as no_database,
    ):
        run()
    assert no_database.value.returncode == 3
    settings.MESSENTE_DLR = {"DISPATCH": "later"}
    with pytest.raises(CommandError, match="DISPATCH must be 'inline' or 'deferred'") as misconfigured:
        run()
    assert misconfigured.value.returncode == 2


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_dispatch_dlrs__invalid_watch(seconds: str) -> None:
    with pytest.raises(CommandError, match="not a number above 0"):
        run(f"--watch={seconds}")
