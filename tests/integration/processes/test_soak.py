"""A short day at Messente's: faults of every kind while workers die, and in the end every count agrees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.soak.counts import compare
from tests.soak.day import live
from tests.soak.plan import plan


def test_every_count_agrees_with_what_the_sandbox_sent(database: str, tmp_path: Path) -> None:
    day = live(plan(100, seed=1), database=database, folder=tmp_path, kill_every=0.5)
    lines = compare(day)
    assert all(line.agrees for line in lines), "\n".join(["", *map(str, lines)])


def test_the_shares_of_a_day_are_exact() -> None:
    planned = plan(20_000, seed=1)
    scenarios = Counter(message.recipient[-3:] for message in planned)
    assert scenarios["106"] == scenarios["104"] + scenarios["105"] == 4_000
    assert scenarios["141"] + scenarios["142"] == 1_000
    assert sum(message.external for message in planned) == 400
    assert len({message.recipient for message in planned}) == len(planned)


def test_a_day_whose_shares_cannot_be_exact_is_not_planned() -> None:
    with pytest.raises(ValueError, match="multiple of 100, not 150"):
        plan(150, seed=1)
