"""Show received data in log lines and errors: one line of printable characters, of limited length.

A line end in a log starts a line that looks like another entry, and control characters change what a terminal shows.
"""

from __future__ import annotations

from urllib.parse import quote, quote_plus

MAX_LENGTH = 80  # characters
# A shorter password could occur in an ID, which must not be changed.
MIN_MASKED_PASSWORD_LENGTH = 6
CUT = "…"


def one_line(value: object, *, limit: int = MAX_LENGTH) -> str:
    """Return a value as text in which characters that are not printable are escaped.

    Args:
        value: what was received.
        limit: the greatest number of characters of the value. The rest is replaced by "…".
    """
    text = str(value)
    shown = "".join(char if char.isprintable() else _escape(char) for char in text[:limit])
    return shown + CUT if len(text) > limit else shown


def mask_password(text: str, password: str) -> str:
    """Return a received text without the password, which the error page of a proxy can quote.

    Args:
        text: what was received.
        password: the password of the request.
    """
    if len(password) >= MIN_MASKED_PASSWORD_LENGTH:
        for spelling in (password, quote(password, safe=""), quote_plus(password)):
            text = text.replace(spelling, "•••")
    return text


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
