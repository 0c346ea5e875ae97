"""A short run of the soak test: faults of every kind while workers are killed. Every count matches at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.soak.counts import compare
from tests.soak.day import live
from tests.soak.plan import plan


def test_soak__counts_match_sandbox(database: str, tmp_path: Path) -> None:
    day = live(plan(100, seed=1), database=database, folder=tmp_path, kill_every=0.5)
    lines = compare(day)
    assert all(line.agrees for line in lines), "\n".join(["", *map(str, lines)])


def test_plan__has_exact_shares() -> None:
    planned = plan(20_000, seed=1)
    scenarios = Counter(message.recipient[-3:] for message in planned)
    assert scenarios["106"] == scenarios["104"] + scenarios["105"] == 4_000
    assert scenarios["141"] + scenarios["142"] == 1_000
    assert sum(message.external for message in planned) == 400
    assert len({message.recipient for message in planned}) == len(planned)


def test_plan__inexact_shares_raise() -> None:
    with pytest.raises(ValueError, match="multiple of 100, not 150"):
        plan(150, seed=1)
