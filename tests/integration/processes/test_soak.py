"""Short runs of the soak test: faults of every kind while workers are killed. Every count matches at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.soak.counts import compare
from tests.soak.day import Options, live
from tests.soak.plan import SHARES, plan


@pytest.mark.parametrize(
    ("api", "order"), [("sms", "shuffled"), ("omnichannel", "shuffled"), ("omnichannel", "simultaneous")]
)
def test_soak__counts_match_sandbox(database: str, tmp_path: Path, api: str, order: str) -> None:
    options = Options(messages=100, api=api, order=order, kill_every=0.5)
    lines = compare(live(options, database=database, folder=tmp_path))
    assert all(line.agrees for line in lines), "\n".join(["", *map(str, lines)])


@pytest.mark.parametrize("api", SHARES)
def test_plan__has_exact_shares(api: str) -> None:
    planned = plan(20_000, api=api, seed=1)
    scenarios = Counter(message.recipient[-3:] for message in planned)
    assert scenarios == {digits: 200 * number for digits, number in Counter(SHARES[api].all).items()}
    assert len(SHARES[api].all) == 100
    assert sum(message.external for message in planned) == 400
    assert len({message.recipient for message in planned}) == len(planned)


def test_plan__order() -> None:
    first, second = plan(200, seed=1), plan(200, seed=2)
    assert first == plan(200, seed=1)
    assert first != second
    assert [message.recipient[-3:] for message in plan(200, order="planned", seed=1)] == SHARES["sms"].all * 2


def test_plan__channels_of_omnimessages() -> None:
    channels = Counter(message.channels for message in plan(200, api="omnichannel", seed=1))
    assert channels == {("viber", "sms"): 100, ("viber", "whatsapp", "sms"): 100}


def test_plan__inexact_shares_raise() -> None:
    with pytest.raises(ValueError, match="multiple of 100, not 150"):
        plan(150, seed=1)
