"""``python -m benchmarks.poll throughput|claim|memory|drip [options]``."""

from __future__ import annotations

import sys

from benchmarks.poll import claim, drip, memory, throughput

MEASURES = {"throughput": throughput.main, "claim": claim.main, "memory": memory.main, "drip": drip.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in MEASURES:
        raise SystemExit(__doc__)
    MEASURES[sys.argv[1]](sys.argv[2:])
