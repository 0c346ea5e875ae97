"""Check that every supported database can store a value, before anything is written or sent.

PostgreSQL refuses NUL and half a character, MariaDB refuses JSON that is nested deeply, and SQLite stores all of it.
Here each of them is a ValueError on every database, so that a project meets it in its first test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django_messente_dlr.messente.channel_values import clean_text
from django_messente_dlr.messente.log_text import one_line

# The JSON functions of MariaDB allow 31 dictionaries and lists within each other.
MAX_DEPTH = 31
# What to store instead of values whose str() is not what the caller means.
INSTEAD: Mapping[tuple[type, ...], str] = {
    (bytes, bytearray): "Store .decode() or .hex() of it.",
    (set, frozenset): "Store a list.",
}


def storable_text(name: str, value: Any, *, limit: int | None = None) -> str:
    """Return a text that can be stored. A lazy translation is evaluated.

    Args:
        name: the name of the argument, for the error.
        value: the text.
        limit: the greatest number of characters, or None.

    Raises:
        TypeError: the value is not a text.
        ValueError: it is too long, or has a character that a database cannot store.
    """
    text = clean_text(value, name=name)
    if limit is not None and len(text) > limit:
        raise ValueError(f'The {name} "{one_line(text)}" is longer than {limit} characters. Shorten it.')
    return text


def storable_json(name: str, value: Any) -> dict[str, Any]:
    """Return a dictionary that can be stored as JSON.

    Args:
        name: the name of the argument, for the error.
        value: the dictionary; None for an empty one.

    Raises:
        ValueError: the value is not a dictionary, or has a member that JSON or a database cannot represent.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004 - a member of the wrong type is a ValueError, too
            f'{name} is of type {type(value).__name__}. Pass a dictionary, such as {{"order": 17}}.'
        )
    members = dict(value)
    _check(members, name, depth=0)
    return members


def _check(value: Any, path: str, *, depth: int) -> None:
    """Check a value and its members.

    Args:
        value: the value.
        path: the place of the value for errors, such as ``metadata["order"][0]``.
        depth: the number of dictionaries and lists around it.
    """
    if isinstance(value, str):
        clean_text(value, name=path)
    elif isinstance(value, dict | list | tuple):
        if depth >= MAX_DEPTH:
            raise ValueError(
                f"{one_line(path)} is nested in more than {MAX_DEPTH} dictionaries and lists, which MariaDB cannot "
                "store. Store less of it, or a text of it."
            )
        members = _members(value, path) if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            _check(member, f"{path}[{one_line(repr(key))}]", depth=depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}, which JSON does not have. Store None or a text.")
    elif not (value is None or isinstance(value, bool | int | float)):
        advice = next((text for types, text in INSTEAD.items() if isinstance(value, types)), "Store str() of it.")
        raise ValueError(f"{path} is of type {type(value).__name__}, which is not JSON. {advice}")


def _members(value: dict[Any, Any], path: str) -> Any:
    """Return the members of a dictionary whose keys can be stored."""
    for key in value:
        # json.dumps converts some other keys to texts, so that the stored row differs from the message.
        if not isinstance(key, str):
            raise ValueError(  # noqa: TRY004 - see `storable_json`
                f"{path} has the key {one_line(repr(key))}, which is not a text. Use str() of it."
            )
        clean_text(key, name=f"A key of {path}")
    return value.items()
