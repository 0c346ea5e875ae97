"""One line of text for each request and each callback, without anything that nobody should read.

In come what was asked and what came of it; out goes a line that holds no password, no path of a callback (its token
is in there), and of every number its last three digits.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django_messente_dlr.sandbox.messages import CallbackAttempt


def callback_line(outcome: CallbackAttempt) -> str:
    """Return the line about an attempt to tell a report."""
    step = outcome.step
    if outcome.method == "GET" and step.get is not None:
        told = " ".join(f"{name}={value}" for name, value in step.get.items())
    else:
        told = f"stat={step.stat}" + ("" if step.err is None else f" err={step.err}")
    result = f"no answer ({outcome.error})" if outcome.error else f"HTTP {outcome.status}"
    where = f"{outcome.method} {masked_url(outcome.url)}"
    about = f"to {masked_number(outcome.message.recipient)}"
    return "  ".join(["callback", where, about, told, f"attempt {outcome.attempt}", result])


def request_line(*, method: str, endpoint: str, recipient: str, status: int, answer: str) -> str:
    """Return the line about a request.

    Args:
        method: the HTTP method.
        endpoint: the sandbox's name for what was called; never the path as it came.
        recipient: the number of the message that it is about; "" where there is none.
        status: the HTTP status of the answer.
        answer: what was answered, in a word or two.
    """
    about = [f"to {masked_number(recipient)}"] if recipient else []
    return "  ".join(["request ", f"{method} {endpoint}", *about, f"HTTP {status}", answer])


def masked_number(recipient: str) -> str:
    """Return the last three digits of a number: they say the fate, and nobody whom they belong to."""
    # What is no digit may be a terminal's control character.
    return "…" + "".join(char if char.isdigit() else "?" for char in recipient[-3:])


def masked_url(url: str) -> str:
    """Return a URL's scheme, host and port alone."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return "an unreadable URL"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}/…" if host.isprintable() else "an unreadable URL"
