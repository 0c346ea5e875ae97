"""A short night of the queue. ``tox -e soak-queue`` runs a long one."""

from __future__ import annotations

from pathlib import Path

from tests.soak.queue.counts import compare
from tests.soak.queue.night import Options, live


def test_night__each_message_is_sent_once_or_unknown(database: str, tmp_path: Path) -> None:
    options = Options(
        messages=150,
        workers=2,
        rate=100.0,
        bulk=False,
        kill_every=1.0,
        restart_every=600.0,
        crash_database_every=None,
        lease=15.0,
        seed=1,
    )
    lines = list(compare(live(options, database=database, folder=tmp_path)))
    assert all(line.agrees for line in lines), "\n".join(["", *map(str, lines)])
