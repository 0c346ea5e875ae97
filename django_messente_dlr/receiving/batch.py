"""Record several reports in one transaction: one wait for the disk, and no savepoint for each report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import transaction

_in_batch: ContextVar[bool] = ContextVar("in_batch", default=False)


@contextmanager
def atomic_batch(using: str) -> Iterator[None]:
    """Record all of the reports inside the block, or none.

    A report that cannot be written (a duplicate, or one in conflict with another writer) rolls back all of them.
    The caller then records each of them again, outside a batch.

    Args:
        using: the database alias.

    Raises:
        Error: a report could not be written. Nothing was stored.
    """
    with transaction.atomic(using=using):
        token = _in_batch.set(True)
        try:
            yield
        finally:
            # Reset before the commit: the functions that run on commit are not part of the batch.
            _in_batch.reset(token)


def in_atomic_batch() -> bool:
    """Return whether the current code runs inside `atomic_batch`."""
    return _in_batch.get()


def savepoint(using: str) -> transaction.Atomic:
    """Return an atomic block for the statements of one report; it sets no savepoint inside `atomic_batch`."""
    return transaction.atomic(using=using, savepoint=not in_atomic_batch())
