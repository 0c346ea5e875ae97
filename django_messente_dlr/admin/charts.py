"""Charts as SVG: numbers go in, places and sizes come out for a template that draws them. Pure.

A drawing is stretched over the room that there is, so words stand beside it and not in it; colours are classes, since
a strict Content-Security-Policy takes no style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

WIDTH = 1000
HEIGHT = 100
GAP = 0.2  # of a bar's room


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One rectangle, in the drawing's own units, written with a point whatever the language."""

    kind: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One bar: what it is called, and its pieces from the bottom upwards."""

    title: str
    pieces: list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Stacked bars with a scale of three lines: nothing, half and all of ``top``."""

    top: int
    stacks: list[Stack]


def stacked(bars: Sequence[tuple[str, Sequence[tuple[str, str | StrPromise, int]]]]) -> Chart:
    """Return the chart of bars, each a label and its parts: (kind, what it is called, number), lowest first."""
    top = nice(max((sum(number for _, _, number in parts) for _, parts in bars), default=0))
    room = WIDTH / max(len(bars), 1)
    stacks = []
    for place, (label, parts) in enumerate(bars):
        below, pieces = 0.0, []
        for kind, _called, number in parts:
            height = number / top * HEIGHT
            if number:
                pieces.append(
                    Piece(
                        kind=kind,
                        x=f"{(place + GAP / 2) * room:.2f}",
                        y=f"{HEIGHT - below - height:.2f}",
                        width=f"{room * (1 - GAP):.2f}",
                        height=f"{height:.2f}",
                    )
                )
            below += height
        told = ", ".join(f"{called} {number}" for _, called, number in parts if number)
        stacks.append(Stack(title=f"{label}: {told or 0}", pieces=pieces))
    return Chart(top=top, stacks=stacks)


def nice(number: int) -> int:
    """Return the least round number that is not smaller: even, so that its half is whole too."""
    step = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if factor * step >= number:
                return factor * step
        step *= 10
