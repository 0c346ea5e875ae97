from __future__ import annotations

import pytest

from django_messente_dlr.admin.charts import HEIGHT, WIDTH, round_up, stack_bars


@pytest.mark.parametrize(
    ("number", "top"), [(0, 2), (1, 2), (3, 4), (10, 10), (11, 20), (21, 40), (99, 100), (1001, 2000)]
)
def test_round_up__even_round_numbers(number: int, top: int) -> None:
    assert round_up(number) == top


def test_stack_bars__geometry() -> None:
    chart = stack_bars([("Monday", [("a", "A", 2), ("b", "B", 0), ("c", "C", 6)]), ("Tuesday", [])])
    assert chart.top == 8
    monday, tuesday = chart.stacks
    low, high = monday.pieces
    assert float(low.y) + float(low.height) == HEIGHT
    assert float(high.y) + float(high.height) == float(low.y)
    assert float(high.y) == 0
    assert 0 < float(low.x) < float(low.x) + float(low.width) < WIDTH / 2
    assert monday.title == "Monday: A 2, C 6"
    assert (tuesday.title, tuesday.pieces) == ("Tuesday: 0", [])


def test_stack_bars__no_bars() -> None:
    assert stack_bars([]).stacks == []
