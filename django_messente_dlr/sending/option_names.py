"""Report an unknown option of a send function with the name that was probably meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Names of Messente's own APIs, each with what to do instead.
INSTEAD = {
    "time_to_send": "Pass send_at, an aware datetime.",
    "from": "Pass sender.",
    "username": "The account in MESSENTE_DLR sets it: pass account.",
    "password": "The account in MESSENTE_DLR sets it: pass account.",
    "dlr_url": "Each message has its own callback URL.",
    "ttl": "Pass validity in minutes, or use send_message with a channel that has ttl.",
}


def suggest_names(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that raises a TypeError with a suggestion for each argument that does not exist."""
    names = list(inspect.signature(function).parameters)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in names:
                raise TypeError(f'{function.__name__}() has no argument "{name}". {suggestion(name, names)}')
        return function(*args, **kwargs)

    return call


def suggestion(name: str, names: list[str]) -> str:
    """Return what to pass instead of an unknown argument.

    Args:
        name: the unknown name.
        names: the names of the arguments.
    """
    plain = name.replace("-", "_").lower()
    if plain in INSTEAD:
        return INSTEAD[plain]
    matches = difflib.get_close_matches(plain, names, n=1)
    return f"Did you mean {matches[0]}?" if matches else f"The arguments are {', '.join(names)}."
