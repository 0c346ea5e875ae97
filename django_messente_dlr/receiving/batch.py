"""Several reports in one transaction, which is one wait for the disk, and no savepoint for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import transaction

_together: ContextVar[bool] = ContextVar("together", default=False)


@contextmanager
def atomic_batch(using: str) -> Iterator[None]:
    """Write the reports that are recorded inside all, or none.

    One that cannot be written, as it is there already or for other writers, undoes all the others: whoever calls is
    ready to write them again, each by itself.

    Args:
        using: the database.

    Raises:
        Error: nothing was written.
    """
    with transaction.atomic(using=using):
        token = _together.set(True)
        try:
            yield
        finally:
            _together.reset(token)  # before the commit: what is done after it is by itself again


def in_atomic_batch() -> bool:
    """Tell whether the transaction is one whose reports are written again where it fails."""
    return _together.get()


def savepoint(using: str) -> transaction.Atomic:
    """Return what makes one report's statements a whole in the transaction around them, if there is one."""
    return transaction.atomic(using=using, savepoint=not in_atomic_batch())
