"""``python -m benchmarks.queue many|view|send|claim [options]``, on the PostgreSQL server of ``DATABASE_URL``."""

from __future__ import annotations

import sys

from benchmarks.queue import claim, many, send, view

MEASURES = {"many": many.main, "view": view.main, "send": send.main, "claim": claim.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in MEASURES:
        raise SystemExit(__doc__)
    MEASURES[sys.argv[1]](sys.argv[2:])
