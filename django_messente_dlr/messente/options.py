"""The further parameters of Messente's ``send_sms`` (documentation: «SMS API»), as options by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

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


def check_options(options: Collection[str]) -> None:
    """Check the names of the options for `MessenteClient.send`.

    Args:
        options: the names.

    Raises:
        ValueError: one of them would be sent in the place of what is told by other means.
    """
    if taken := sorted(TAKEN.keys() & set(options)):
        raise ValueError(f"«{taken[0]}» is no option of send_sms: {TAKEN[taken[0]]}")


def time_to_send(options: Mapping[str, str | int]) -> datetime | None:
    """Return when Messente is told to send, in UTC; None where it is not, or by what makes no sense.

    Args:
        options: the options.
    """
    try:
        return datetime.fromtimestamp(int(options["time_to_send"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None  # whatever it is, Messente says what it thinks of it
