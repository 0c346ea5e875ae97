"""The WSGI application; ``BENCH_RECEIVERS=1`` connects a receiver to every signal."""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

heard: dict[str, int] = {}


def hear(name: str) -> Any:
    """Return a receiver that counts, the least that one can do."""

    def receiver(**kwargs: Any) -> None:
        heard[name] = heard.get(name, 0) + 1

    return receiver


if os.environ.get("BENCH_RECEIVERS") == "1":
    from django_messente_dlr import signals

    for _name, _signal in signals.BY_NAME.items():
        _signal.connect(hear(_name), weak=False)
