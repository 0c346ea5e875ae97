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


def url_of(
    settings: dict[str, Any], vendor: str, *, port: int | None = None, options: dict[str, Any] | None = None
) -> str:
    """Return what `dj_database_url` reads as these settings.

    Args:
        settings: the database's settings.
        vendor: Django's word for it.
        port: a port of this machine to go to instead.
        options: its ``OPTIONS`` there.
    """
    user = quote(settings["USER"]) + (f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else "")
    if port is None:
        host = f"{settings['HOST']}:{settings['PORT']}" if settings["PORT"] else settings["HOST"]
        options = settings["OPTIONS"]
    else:
        host = f"127.0.0.1:{port}"
    query = f"?{urlencode(options)}" if options else ""
    return f"{SCHEMES[vendor]}://{user}@{host}/{settings['NAME']}{query}"
