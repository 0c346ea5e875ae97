"""pytest fixtures: put ``pytest_plugins = ["django_messente_dlr.testing.plugin"]`` into your conftest."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from django_messente_dlr import signals
from django_messente_dlr.sandbox import Sandbox


class SignalLog(list[tuple[str, dict[str, Any]]]):
    """The signals that were sent, in their order: pairs of a name and its arguments."""

    @property
    def names(self) -> list[str]:
        """Their names alone."""
        return [name for name, _ in self]

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of the last signal called ``name``; raise LookupError where none was sent."""
        for sent, arguments in reversed(self):
            if sent == name:
                return arguments
        raise LookupError(f"No {name} was sent, only {', '.join(self.names) or 'nothing'}.")


@pytest.fixture
def dlr_signals() -> Iterator[SignalLog]:
    """Record every signal of the app while the test runs."""
    log = SignalLog()

    def note(name: str, **arguments: Any) -> None:
        log.append((name, {key: value for key, value in arguments.items() if key not in {"signal", "sender"}}))

    receivers = {name: partial(note, name) for name in signals.BY_NAME}
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver, weak=False)
    yield log
    for name, receiver in receivers.items():
        signals.BY_NAME[name].disconnect(receiver)


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
