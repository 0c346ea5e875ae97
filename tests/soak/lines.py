"""The lines of the comparison: what is counted, the values that agree, and the actual value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One count of the comparison, printed as a line.

    Attributes:
        label: what is counted.
        minimum: the least value that agrees.
        maximum: the greatest value that agrees; None for no limit.
        actual: the value.
        examples: some of the items that should not exist.
    """

    label: str
    minimum: int
    maximum: int | None
    actual: int
    examples: tuple[object, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.minimum <= self.actual and (self.maximum is None or self.actual <= self.maximum)

    def __str__(self) -> str:
        maximum = "more" if self.maximum is None else self.maximum
        expected = str(self.minimum) if self.minimum == self.maximum else f"{self.minimum} to {maximum}"
        line = f"{'ok ' if self.agrees else 'NOT'}  {self.label:<66} {expected:>16} {self.actual:>8}"
        return "\n       such as ".join([line, *map(repr, self.examples)])


def exactly(label: str, expected: int, actual: int) -> Line:
    return Line(label, expected, expected, actual)


def none(label: str, items: Iterable[object]) -> Line:
    unexpected = list(items)
    return Line(label, 0, 0, len(unexpected), tuple(unexpected[:3]))
