"""The optional parameters of Messente's ``send_sms`` (documentation: "SMS API")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Parameters of send_sms that are not options, each with the way to set it.
RESERVED_NAMES = {
    "username": "the account sets it.",
    "password": "the account sets it.",
    "to": "it is the first argument.",
    "text": "it is the second argument.",
    "from": "use the argument sender.",
    "dlr-url": "each message has its own.",
    "dlr_url": "each message has its own.",
}


def check_options(options: Mapping[str, Any]) -> None:
    """Check the options for `MessenteClient.send`.

    Args:
        options: the options by name.

    Raises:
        ValueError: an option has a reserved name, or its value is neither a string nor an integer.
    """
    if reserved := sorted(RESERVED_NAMES.keys() & options.keys()):
        raise ValueError(f'"{reserved[0]}" is not an option of send_sms: {RESERVED_NAMES[reserved[0]]}')
    # str() of any other type would be sent as a value that is certainly wrong, such as the text "None".
    if invalid := [name for name, value in options.items() if not _is_plain(value)]:
        type_name = type(options[invalid[0]]).__name__
        hint = " Unix seconds are int(at.timestamp())." if invalid[0] == "time_to_send" else ""
        raise ValueError(f'"{invalid[0]}" of send_sms must be a string or an integer, not {type_name}.{hint}')


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
