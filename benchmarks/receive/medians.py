"""How sure a median is."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

SURE = 0.95


def sure(values: Sequence[float]) -> tuple[float, float]:
    """Return between which two of the values the true median is, in 95 of 100 series.

    Fewer than six are not enough for that; then it is their range. This is the sign test's interval: how often so
    many of them are on one side of the median is known, however they scatter, and the rates of a machine that is lent
    by the hour scatter in no way that has a name.
    """
    ordered, outside = sorted(values), 0
    while 2 * sum(comb(len(ordered), k) for k in range(outside + 1)) / 2 ** len(ordered) <= 1 - SURE:
        outside += 1
    place = max(outside - 1, 0)
    return ordered[place], ordered[-1 - place]
