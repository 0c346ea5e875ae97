"""The backend that prints messages instead of sending them, for development."""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from django_messente_dlr.backends.base import OutgoingMessage, SendResult
from django_messente_dlr.backends.local import LocalBackend


class Backend(LocalBackend):
    """Print each message to the standard output.

    Args:
        stream: where to print instead.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def accept(self, message: OutgoingMessage, result: SendResult) -> None:
        """Print a message: a line for each property, then each channel with its text."""
        lines = [f"To: {message.to}", f"Account: {message.account}"]
        lines += [f"Send at: {message.send_at.isoformat()}"] if message.send_at else []
        lines.append(f"Id: {result.omnimessage_id or result.sms_unique_id}")
        for channel in message.channels:
            sender = f" from {channel['sender']}" if channel.get("sender") else ""
            content = {name: value for name, value in channel.items() if name not in {"channel", "sender", "text"}}
            lines += ["", f"{channel['channel']}{sender}:", *str(channel.get("text", "")).splitlines()]
            lines += [f"({name}: {value})" for name, value in content.items()]
        stream = self._stream or sys.stdout
        with self._lock:  # the lines of two threads would mix
            stream.write("\n".join([*lines, "-" * 79, ""]))
            stream.flush()
