"""pytest fixtures: put ``pytest_plugins = ["django_messente_dlr.testing.plugin"]`` into your conftest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.signals import SignalLog, record_signals


@pytest.fixture
def dlr_signals() -> Iterator[SignalLog]:
    """Record every signal of the app while the test runs."""
    with record_signals() as log:
        yield log


@pytest.fixture
def messente_sandbox(settings: Any) -> Iterator[Sandbox]:
    """Run a local Messente that knows the configured accounts, and point the settings to it.

    It calls back to this machine alone: where reports are to come by themselves, have ``live_server`` serve the
    project and set ``CALLBACK_BASE_URL`` to ``live_server.url``.
    """
    from django_messente_dlr import conf  # noqa: PLC0415 - settings are there only now

    accounts = {account.username: account.password for account in conf.accounts().values()}
    with Sandbox(accounts=accounts, port=0) as sandbox:
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "API_HOSTS": [sandbox.url],
            "OMNICHANNEL_URL": f"{sandbox.url}/v1",
        }
        yield sandbox
