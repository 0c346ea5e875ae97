"""Cache what is made from ``settings.MESSENTE_DLR`` until the setting changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

from django.core.signals import setting_changed

from django_messente_dlr.conf.converters import SETTING

P = ParamSpec("P")
R = TypeVar("R")


def cached_until_changed(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function whose results are cached until a test changes ``MESSENTE_DLR``. An exception is not cached.

    Args:
        function: a function of a module. Its arguments are hashable.
    """
    cached = cache(function)

    def clear(*, setting: str, **kwargs: Any) -> None:
        if setting == SETTING:
            cached.cache_clear()

    # Not weak, because nothing else refers to the receiver.
    setting_changed.connect(clear, weak=False, dispatch_uid=f"{function.__module__}.{function.__qualname__}")
    # The cached function itself, because one in Python around it would be called several times for each report.
    return cast("Callable[P, R]", cached)
