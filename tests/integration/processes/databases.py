"""Make the test's database accessible to other processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.db import connections

SCHEMES = {"postgresql": "postgresql", "mysql": "mysql"}
# Killed processes need no durability, only power failures do; tests.on_database sets the same for the servers.
NOT_DURABLE = "PRAGMA synchronous = OFF"


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of the test's database.

    The SQLite database is in the memory of this process. In the context, the test uses a copy in a file instead.

    Args:
        folder: the directory for the file.
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
    options = {**memory.settings_dict["OPTIONS"], "init_command": NOT_DURABLE}
    copy.settings_dict = {**memory.settings_dict, "NAME": str(file), "OPTIONS": options}
    connections["default"] = copy
    try:
        yield f"sqlite:///{file}?{urlencode({'init_command': NOT_DURABLE}, quote_via=quote)}"
    finally:
        copy.close()
        connections["default"] = memory


def url_of(
    settings: dict[str, Any], vendor: str, *, port: int | None = None, options: dict[str, Any] | None = None
) -> str:
    """Return the URL that `dj_database_url` parses to these settings.

    Args:
        settings: the settings of the database.
        vendor: the ``vendor`` of the connection.
        port: a port on 127.0.0.1 to connect to instead of the host and port of the settings.
        options: the ``OPTIONS`` to use with ``port``.
    """
    user = quote(settings["USER"]) + (f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else "")
    if port is None:
        host = f"{settings['HOST']}:{settings['PORT']}" if settings["PORT"] else settings["HOST"]
        options = settings["OPTIONS"]
    else:
        host = f"127.0.0.1:{port}"
    query = f"?{urlencode(options)}" if options else ""
    return f"{SCHEMES[vendor]}://{user}@{host}/{settings['NAME']}{query}"
