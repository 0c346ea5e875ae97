"""What signals were sent, for tests with pytest and without: ``with record_signals() as log: …``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django_messente_dlr import signals


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


@contextmanager
def record_signals() -> Iterator[SignalLog]:
    """Record every signal of the app that is sent inside, as long as they are sent in this process."""
    log = SignalLog()

    def note(name: str, **arguments: Any) -> None:
        log.append((name, {key: value for key, value in arguments.items() if key not in {"signal", "sender"}}))

    receivers = {name: partial(note, name) for name in signals.BY_NAME}
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver, weak=False)
    try:
        yield log
    finally:
        for name, receiver in receivers.items():
            signals.BY_NAME[name].disconnect(receiver)
