"""Lines of text about requests and callbacks, without secrets.

A line contains no password and no path of a callback URL, because the path holds the token. Of a phone number it
shows the last three digits.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django_messente_dlr.sandbox.messages import CallbackAttempt


def callback_line(attempt: CallbackAttempt) -> str:
    """Return the line about an attempt to send a callback."""
    step = attempt.step
    if attempt.method == "GET" and step.get is not None:
        report = " ".join(f"{name}={value}" for name, value in step.get.items())
    else:
        report = f"stat={step.stat}" + ("" if step.err is None else f" err={step.err}")
    result = f"no response ({attempt.error})" if attempt.error else f"HTTP {attempt.status}"
    target = f"{attempt.method} {masked_url(attempt.url)}"
    recipient = f"to {masked_number(attempt.message.recipient)}"
    return "  ".join(["callback", target, recipient, report, f"attempt {attempt.attempt}", result])


def request_line(*, method: str, endpoint: str, recipient: str, status: int, summary: str) -> str:
    """Return the line about a request.

    Args:
        method: the HTTP method.
        endpoint: the sandbox's name for the endpoint, never the path of the request.
        recipient: the message's recipient; "" without one.
        status: the HTTP status of the response.
        summary: the response in a few words.
    """
    recipients = [f"to {masked_number(recipient)}"] if recipient else []
    return "  ".join(["request ", f"{method} {endpoint}", *recipients, f"HTTP {status}", summary])


def masked_number(recipient: str) -> str:
    """Return the last three digits of a number: they choose the scenario, but do not identify a person."""
    # Other characters could be control characters of the terminal.
    return "…" + "".join(char if char.isdigit() else "?" for char in recipient[-3:])


def masked_url(url: str) -> str:
    """Return the scheme, host and port of a URL, without its path and query string."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return "an unreadable URL"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}/…" if host.isprintable() else "an unreadable URL"


def ignore_line(line: str) -> None:
    """Ignore a line, where the caller of the sandbox needs none."""
