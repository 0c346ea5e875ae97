"""The tests' database as other processes can open it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.db import connections

SCHEMES = {"postgresql": "postgresql", "mysql": "mysql"}


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of the test's database.

    SQLite's is in the memory of this process alone, so that for a while the test works on a copy of it in a file.
    """
    memory: Any = connections["default"]
    if memory.vendor != "sqlite":
        yield url_of(memory.settings_dict, memory.vendor)
        return
    file = folder / "db.sqlite3"
    memory.ensure_connection()
    target = sqlite3.connect(file)
    memory.connection.backup(target)
    target.close()
    copy: Any = connections.create_connection("default")
    copy.settings_dict = {**memory.settings_dict, "NAME": str(file)}
    connections["default"] = copy
    try:
        yield f"sqlite:///{file}"
    finally:
        copy.close()
        connections["default"] = memory


def url_of(settings: dict[str, Any], vendor: str, **address: Any) -> str:
    """Return what `dj_database_url` reads as these settings, with ``host`` and ``port`` replaced where given."""
    user = quote(settings["USER"]) + (f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else "")
    if address:
        return f"{SCHEMES[vendor]}://{user}@{address['host']}:{address['port']}/{settings['NAME']}"
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    options = f"?{urlencode(settings['OPTIONS'])}" if settings["OPTIONS"] else ""
    return f"{SCHEMES[vendor]}://{user}@{settings['HOST']}{port}/{settings['NAME']}{options}"
