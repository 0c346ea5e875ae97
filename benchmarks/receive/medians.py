"""The confidence interval of a median."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

CONFIDENCE = 0.95


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the two values between which the true median is in 95 of 100 series.

    The interval is that of the sign test, which assumes no distribution of the values. The rates of a virtual machine
    follow none: other tenants load the same hardware. Fewer than six values are not enough for 95 of 100; then the
    interval is their range.
    """
    ordered, outside = sorted(values), 0
    while 2 * sum(comb(len(ordered), k) for k in range(outside + 1)) / 2 ** len(ordered) <= 1 - CONFIDENCE:
        outside += 1
    place = max(outside - 1, 0)
    return ordered[place], ordered[-1 - place]
