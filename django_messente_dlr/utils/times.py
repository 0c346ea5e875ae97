"""Compute with times in both forms that Django uses: aware or, if USE_TZ is off, naive and local.

The clocks are changed twice a year, so two local times that differ by 48 hours are 47, 48 or 49 hours apart. These
functions compute in UTC.

The database stores a local time without its offset. One hour of the year occurs twice, and a time in it may be taken
for an hour earlier or later. `shift` chooses the later, so that no lease ends early.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone

JITTER = 0.1


def growing_interval(first: timedelta, *, repetitions: int, longest: timedelta) -> timedelta:
    """Return an interval that doubles with each repetition, with a random tenth more or less.

    The jitter spreads what began together. It needs no cryptographic randomness.

    Args:
        first: the interval without a repetition.
        repetitions: how often it doubles.
        longest: the limit before the jitter.
    """
    return min(first * (1 << min(repetitions, 10)), longest) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def to_utc(moment: datetime) -> datetime:
    """Return a time in UTC. A naive time is taken as local, in ``TIME_ZONE``, as Django's fields take it."""
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return moment.astimezone(UTC)


def to_db_datetime(moment: datetime) -> datetime:
    """Return a time, aware or naive, as Django's fields expect it: in UTC or, if USE_TZ is off, naive and local."""
    return to_utc(moment) if settings.USE_TZ else _to_local(to_utc(moment)).replace(tzinfo=None)


def shift(moment: datetime, interval: timedelta) -> datetime:
    """Return the time that is an interval after a moment, or before it, in the form of the moment.

    Args:
        moment: a time, aware or naive.
        interval: the interval; a negative one is before the moment.
    """
    if timezone.is_aware(moment):
        return moment.astimezone(UTC) + interval
    shifted = _to_local(to_utc(moment) + interval)
    local, by_clock = shifted.replace(tzinfo=None), moment + interval
    # Between the two occurrences of an hour, the clock shows the later time first: a lease of five minutes from 03:58
    # would end at 03:03, which is in the past until the clocks are changed. 04:03 is an hour late.
    if local != by_clock and local.fold != moment.fold and _occurs_twice(shifted):
        return by_clock
    return local


def elapsed(start: datetime, end: datetime) -> timedelta:
    """Return the time that has passed from a start to an end: the shortest that the two times allow.

    A time of the hour that occurs twice can be either occurrence, as a database does not store which.
    """
    differences = [last - first for first in _occurrences(start) for last in _occurrences(end)]
    return min((interval for interval in differences if interval >= timedelta(0)), default=max(differences))


def _occurrences(moment: datetime) -> list[datetime]:
    """Return the times in UTC that a time can be. Python marks a known second occurrence by ``fold``."""
    if timezone.is_aware(moment) or moment.fold:
        return [to_utc(moment)]
    return [to_utc(moment), to_utc(moment.replace(fold=1))]


def _to_local(moment: datetime) -> datetime:
    # The middleware of a project may activate another time zone, but naive times are in TIME_ZONE.
    return moment.astimezone(timezone.get_default_timezone())


def _occurs_twice(local: datetime) -> bool:
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
