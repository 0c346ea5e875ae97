"""Claim rows that are due. A claim is one short transaction. Until its lease ends, no other process gets the rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from django.db import connections, models, router, transaction

from django_messente_dlr.utils import db_retry

Row = TypeVar("Row", bound=models.Model)


def claim_rows(due: models.QuerySet[Row], field: str, *, count: int, until: datetime) -> list[Row]:
    """Set ``field``, a time, of up to ``count`` due rows to ``until``; return those that no other process claimed."""
    using = router.db_for_write(due.model)
    due = due.using(using)
    all_rows = due.model._base_manager.using(using)  # noqa: SLF001 - documented as public

    def lock_and_update() -> list[Row]:
        with transaction.atomic(using=using):
            rows = list(due.select_for_update(skip_locked=True)[:count])
            all_rows.filter(pk__in=[row.pk for row in rows]).update(**{field: until})
            return rows

    if connections[using].features.has_select_for_update_skip_locked:
        rows = db_retry.retry_on_contention(lock_and_update, using=using)
    else:
        # Each UPDATE is a transaction. A transaction that begins with a read cannot write on SQLite once another
        # connection has written.
        rows = [row for row in due[:count] if _compare_and_swap(all_rows, row, field, until)]
    for row in rows:
        setattr(row, field, until)
    return rows


def move_claim(row: models.Model, field: str, *, until: datetime) -> bool:
    """Set ``field``, a time, of a claimed row to ``until``; return False if another process has changed it since."""
    model = type(row)
    rows = model._base_manager.using(router.db_for_write(model))  # noqa: SLF001 - documented as public
    if not _compare_and_swap(rows, row, field, until):
        return False
    setattr(row, field, until)
    return True


def _compare_and_swap(all_rows: models.QuerySet[Any], row: models.Model, field: str, until: datetime) -> bool:
    """Update a time if it still has the value that was read; return whether it had, which one process gets."""
    rows = all_rows.filter(**{"pk": row.pk, field: getattr(row, field)})
    return bool(db_retry.retry_on_contention(lambda: rows.update(**{field: until}), using=rows.db))
