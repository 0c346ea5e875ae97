"""Let another process act directly before a statement of the test's connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def just_before(statement: str, work: Callable[[], object]) -> Iterator[None]:
    """Call ``work`` directly before the first statement of this connection that contains ``statement``."""
    matches: list[str] = []

    def wrapper(execute: Any, sql: str, *arguments: Any) -> Any:
        if statement in sql.replace("`", '"') and not matches:
            matches.append(statement)
            work()
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        yield
    assert matches
