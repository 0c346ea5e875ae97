"""Fixtures for pytest: set ``pytest_plugins = ["django_messente_dlr.testing.plugin"]`` in the conftest module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.backends.locmem import outbox
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.mixins import locmem_settings
from django_messente_dlr.testing.signals import SignalLog, record_signals

__all__ = ["dlr_signals", "messente_sandbox", "sms_outbox"]


@pytest.fixture
def dlr_signals() -> Iterator[SignalLog]:
    """Record every signal of the app while the test runs."""
    with record_signals() as log:
        yield log


@pytest.fixture
def sms_outbox(settings: Any) -> list[OutgoingMessage]:
    """Send nothing while the test runs; return the list that collects the messages, empty at its start."""
    settings.MESSENTE_DLR = locmem_settings()
    outbox.clear()
    return outbox


@pytest.fixture
def messente_sandbox(settings: Any) -> Iterator[Sandbox]:
    """Run a sandbox of Messente with the configured accounts, and change the settings to its URL.

    The sandbox sends callbacks to this machine only. To receive them, serve the project by ``live_server`` and set
    ``CALLBACK_BASE_URL`` to ``live_server.url``.
    """
    from django_messente_dlr import conf  # noqa: PLC0415 - pytest imports plugins before the settings exist

    accounts = {account.username: account.password for account in conf.accounts().values()}
    with Sandbox(accounts=accounts, port=0) as sandbox:
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "API_HOSTS": [sandbox.url],
            "OMNICHANNEL_URL": f"{sandbox.url}/v1",
        }
        yield sandbox
