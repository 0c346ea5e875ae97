"""The geometry of SVG bar charts: positions and sizes for a template. No function here reads the database.

The browser stretches a drawing to the available width, so texts are outside the SVG. Colours are CSS classes, because
a strict Content-Security-Policy forbids inline styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

WIDTH = 1000
HEIGHT = 100
GAP = 0.2  # fraction of the width that one bar and its margins take


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One rectangle, in units of the drawing. The numbers have a decimal point in every language.

    Attributes:
        css_name: the end of the CSS class that colours it.
        x: the left edge.
        y: the upper edge.
        width: the width.
        height: the height.
    """

    css_name: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One bar: its title, and its pieces from the bottom to the top."""

    title: str
    pieces: list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Stacked bars, and the value at the upper end of the scale.

    The scale has lines at 0, at half of ``top`` and at ``top``.
    """

    top: int
    stacks: list[Stack]


def stack_bars(bars: Sequence[tuple[str, Sequence[tuple[str, str | StrPromise, int]]]]) -> Chart:
    """Return the chart of some bars.

    Args:
        bars: for each bar its label, and its parts from the bottom to the top. A part has the end of a CSS class, a
            name and a value.
    """
    top = round_up(max((sum(number for _, _, number in parts) for _, parts in bars), default=0))
    slot = WIDTH / max(len(bars), 1)
    stacks = []
    for index, (label, parts) in enumerate(bars):
        bottom, pieces = 0.0, []
        for css_name, _name, number in parts:
            height = number / top * HEIGHT
            if number:
                pieces.append(
                    Piece(
                        css_name=css_name,
                        x=f"{(index + GAP / 2) * slot:.2f}",
                        y=f"{HEIGHT - bottom - height:.2f}",
                        width=f"{slot * (1 - GAP):.2f}",
                        height=f"{height:.2f}",
                    )
                )
            bottom += height
        values = ", ".join(f"{name} {number}" for _, name, number in parts if number)
        stacks.append(Stack(title=f"{label}: {values or 0}", pieces=pieces))
    return Chart(top=top, stacks=stacks)


def round_up(number: int) -> int:
    """Return the smallest round number that is at least ``number``. It is even, so that its half is an integer."""
    step = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if factor * step >= number:
                return factor * step
        step *= 10
