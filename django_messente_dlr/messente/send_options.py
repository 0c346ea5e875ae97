"""The further parameters of Messente's ``send_sms`` (documentation: «SMS API»), as options by their names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# What is told by other means than an option, and by which.
TAKEN = {
    "username": "the account says it.",
    "password": "the account says it.",
    "to": "it is the first argument.",
    "text": "it is the second argument.",
    "from": "give sender.",
    "dlr-url": "each message has its own.",
    "dlr_url": "each message has its own.",
}


def check_options(options: Mapping[str, Any]) -> None:
    """Check the options for `MessenteClient.send`.

    Args:
        options: the options.

    Raises:
        ValueError: one of them would be sent in the place of what is told by other means, or is neither a string nor
            a whole number.
    """
    if taken := sorted(TAKEN.keys() & options.keys()):
        raise ValueError(f"«{taken[0]}» is no option of send_sms: {TAKEN[taken[0]]}")
    # What Python makes of anything else, such as the text «None», nobody has meant.
    if odd := [name for name, value in options.items() if not _is_plain(value)]:
        kind = type(options[odd[0]]).__name__
        hint = " Unix seconds are int(at.timestamp())." if odd[0] == "time_to_send" else ""
        raise ValueError(f"«{odd[0]}» of send_sms must be a string or a whole number, not {kind}.{hint}")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def time_to_send(options: Mapping[str, str | int]) -> datetime | None:
    """Return when Messente is told to send, in UTC; None where it is not, or by what makes no sense.

    Args:
        options: the options.
    """
    try:
        return datetime.fromtimestamp(int(options["time_to_send"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None  # whatever it is, Messente says what it thinks of it
