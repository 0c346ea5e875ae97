"""The WSGI application. Environment variables select what differs between the servers.

``BENCH_RECEIVERS=1`` connects a receiver to every signal. ``BENCH_FAST_PATH=0`` switches the fast path off, so that
every report is recorded by the ORM path.
"""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

counts: dict[str, int] = {}


def make_receiver(name: str) -> Any:
    """Return a receiver that only counts its calls."""

    def receiver(**kwargs: Any) -> None:
        counts[name] = counts.get(name, 0) + 1

    return receiver


def write_nothing(*args: Any, **kwargs: Any) -> bool:
    """Return False for every report, as the fast path does for one that it leaves to the ORM path."""
    return False


if os.environ.get("BENCH_RECEIVERS") == "1":
    from django_messente_dlr import signals

    for _name, _signal in signals.BY_NAME.items():
        _signal.connect(make_receiver(_name), weak=False)

if os.environ.get("BENCH_FAST_PATH") == "0":
    from django_messente_dlr.receiving import fast_path

    fast_path.try_write = write_nothing
