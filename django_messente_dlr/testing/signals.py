"""Record the signals that are sent, with or without pytest: ``with record_signals() as log: …``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django_messente_dlr import signals

__all__ = ["SignalLog", "record_signals"]


class SignalLog(list[tuple[str, dict[str, Any]]]):
    """The sent signals in order: pairs of a name and the arguments."""

    @property
    def names(self) -> list[str]:
        """Return the names of the signals."""
        return [name for name, _ in self]

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of the last signal with a name; raise LookupError if none was sent."""
        for sent_name, arguments in reversed(self):
            if sent_name == name:
                return arguments
        raise LookupError(f"The signal {name} was not sent; sent: {', '.join(self.names) or 'none'}.")


@contextmanager
def record_signals() -> Iterator[SignalLog]:
    """Record each signal of the app that this process sends inside the block."""
    log = SignalLog()

    def append(name: str, **arguments: Any) -> None:
        log.append((name, {key: value for key, value in arguments.items() if key not in {"signal", "sender"}}))

    receivers = {name: partial(append, name) for name in signals.BY_NAME}
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver, weak=False)
    try:
        yield log
    finally:
        for name, receiver in receivers.items():
            signals.BY_NAME[name].disconnect(receiver)
