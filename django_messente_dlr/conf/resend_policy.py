"""The setting ``RESEND``: how often a message is sent again that failed for a temporary cause, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.conf import converters

KEYS = {"attempts", "backoff"}
MAX_ATTEMPTS = 100
MAX_BACKOFF = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendPolicy:
    """The setting ``RESEND``.

    Attributes:
        attempts: the greatest number of times that a message is sent again.
        backoff: the time before each of them. The last one is repeated.
    """

    attempts: int
    backoff: tuple[timedelta, ...]

    def delay_before(self, attempt: int) -> timedelta:
        """Return the time between a failure and the attempt that follows it.

        Args:
            attempt: the number of the attempt; 1 for the first time that a message is sent again.
        """
        return self.backoff[min(attempt, len(self.backoff)) - 1]


def to_resend_policy(key: str, value: Any) -> ResendPolicy:
    """Return a dictionary of ``attempts`` and ``backoff`` as a `ResendPolicy`."""
    setting = converters.SETTING
    if not isinstance(value, Mapping) or set(value) != KEYS:
        raise ImproperlyConfigured(
            f"{setting}: {key} must be a dict with the keys attempts and backoff, such as "
            '{"attempts": 3, "backoff": [60, 300, 1800]}.'
        )
    attempts = converters.to_number(f"attempts of {key}", value["attempts"], integer=True, allow_zero=False)
    if attempts > MAX_ATTEMPTS:
        raise ImproperlyConfigured(f"{setting}: attempts of {key} must be at most {MAX_ATTEMPTS}.")
    seconds = value["backoff"]
    if not isinstance(seconds, list | tuple) or not seconds:
        raise ImproperlyConfigured(f"{setting}: backoff of {key} must be a list of seconds, such as [60, 300, 1800].")
    backoff = [
        converters.to_number(f"each backoff of {key}", item, integer=False, allow_zero=False) for item in seconds
    ]
    if max(backoff) > MAX_BACKOFF.total_seconds():
        raise ImproperlyConfigured(f"{setting}: each backoff of {key} must be at most a year, in seconds.")
    return ResendPolicy(attempts=attempts, backoff=tuple(timedelta(seconds=item) for item in backoff))
