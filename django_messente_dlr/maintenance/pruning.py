"""Delete old messages and reports that are final and dispatched.

Rows are deleted in batches, so that memory and locks do not grow with the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from django_messente_dlr.maintenance.protection import find_protected, protecting_models, protections_of
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.querysets import IS_PREPARED, DeliveryReportQuerySet, SmsMessageQuerySet
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry

FINAL = [status for status in Status if status.rank >= Status.UNRESOLVED.rank]

Rows = QuerySet[Any, Any]
Batches = Iterator[list[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The number of deleted rows, and of those that were kept.

    Attributes:
        deleted: rows that were deleted or, in a dry run, would be.
        protected: rows that were kept, by the label of the project's model whose rows prevent the deletion.
    """

    deleted: int
    protected: dict[str, int]


def prune_messages(before: datetime, *, size: int = 1000, dry_run: bool = False) -> PruneResult:
    """Delete messages that ended before ``before``, with their reports.

    A message ends with its final report. Without one it counts from when it was sent or, if that is unknown, created.
    A message of `prepare_sms` that was never sent counts from when it was created.
    Messages with undispatched reports, and those that rows of the project protect, are kept.

    Args:
        before: the limit for the end, and for ``created_at``.
        size: the number of rows in a batch.
        dry_run: whether to count the messages only.
    """
    using = router.db_for_write(SmsMessage)
    ended = SmsMessage.objects.using(using).alias(
        ended_at=Coalesce("finalised_at", "sent_at", "send_at", "created_at")
    )
    ended = ended.filter(Q(status__in=FINAL) | IS_PREPARED, created_at__lt=before, ended_at__lt=before)
    reports = DeliveryReport.objects.using(using)
    rows = ended.exclude(Exists(reports.undispatched().filter(message=OuterRef("pk")))).values("pk", "created_at")
    return _prune(rows, _by_creation, partial(_delete_messages, ended, reports), size=size, dry_run=dry_run)


def prune_orphans(before: datetime, *, size: int = 1000, dry_run: bool = False) -> PruneResult:
    """Delete dispatched orphan reports received before ``before``, except those that rows of the project protect.

    Args:
        before: the limit for ``received_at``.
        size: the number of rows in a batch.
        dry_run: whether to count the reports only.
    """
    reports = DeliveryReport.objects.using(router.db_for_write(DeliveryReport))
    dispatched = reports.filter(message__isnull=True, dispatch_due_at__isnull=True)
    rows = dispatched.orphans().filter(received_at__lt=before).values("pk")
    return _prune(rows, _by_primary_key, partial(_delete_orphans, dispatched), size=size, dry_run=dry_run)


def _prune(
    rows: Rows,
    walk: Callable[[Rows, int], Batches],
    delete: Callable[[list[int]], int],
    *,
    size: int,
    dry_run: bool,
) -> PruneResult:
    """Delete the rows that no row of the project protects.

    Args:
        rows: the rows.
        walk: returns the rows in batches of the given size.
        delete: deletes the rows with these primary keys, and returns their number.
        size: the number of rows in a batch.
        dry_run: whether to count the rows only.
    """
    protections = protections_of(rows.model)
    deleted, protected = 0, Counter[str]()
    for batch in walk(rows, size):
        keys = [row["pk"] for row in batch]
        protecting = find_protected(protections, keys, using=rows.db)
        protected.update(chain.from_iterable(protecting.values()))
        keys = [pk for pk in keys if pk not in protecting]
        deleted += len(keys) if dry_run else _delete_unprotected(keys, delete, protected)
    return PruneResult(deleted, dict(protected))


def _by_creation(rows: Rows, size: int) -> Batches:
    """Yield messages in the order of the index, each once, whether or not the earlier ones are deleted meanwhile."""
    rows = rows.order_by("created_at", "pk")
    batch = list(rows[:size])
    while batch:
        yield batch
        pk, created_at = batch[-1]["pk"], batch[-1]["created_at"]
        # Many imported messages may have the same time. One condition for both steps would read all of them again.
        batch = list(rows.filter(created_at=created_at, pk__gt=pk)[:size])
        batch = batch or list(rows.filter(created_at__gt=created_at)[:size])


def _by_primary_key(rows: Rows, size: int) -> Batches:
    """Yield rows in the order of their primary keys, each once."""
    rows, last = rows.order_by("pk"), 0
    while batch := list(rows.filter(pk__gt=last)[:size]):
        yield batch
        last = batch[-1]["pk"]


def _delete_unprotected(keys: list[int], delete: Callable[[list[int]], int], protected: Counter[str]) -> int:
    """Delete rows, except those for which it is an IntegrityError; count these in ``protected``.

    The error is rare: a row of the project was inserted meanwhile, or `protections_of` does not describe the case.
    """
    if not keys:
        return 0
    try:
        return delete(keys)
    except IntegrityError as exc:
        if len(keys) == 1:
            protected.update(protecting_models(exc))
            return 0
    # With one protected row, Django deletes none of the batch.
    middle = len(keys) // 2
    return sum(_delete_unprotected(half, delete, protected) for half in (keys[:middle], keys[middle:]))


def _delete_messages(ended: SmsMessageQuerySet, reports: DeliveryReportQuerySet, keys: list[int]) -> int:
    """Delete messages that are ended and have no undispatched reports, and their reports; return their number."""

    def delete() -> int:
        with transaction.atomic(using=ended.db):
            # The lock comes first: a late report is either committed with its signals due, or finds no message.
            locked = set(ended.filter(pk__in=keys).select_for_update().values_list("pk", flat=True))
            undispatched = reports.undispatched().filter(message__in=locked)
            prunable = locked.difference(undispatched.values_list("message", flat=True))
            reports.filter(message__in=prunable).delete()
            SmsMessage.objects.using(ended.db).filter(pk__in=prunable).delete()
        return len(prunable)

    return db_retry.retry_on_contention(delete, using=ended.db)


def _delete_orphans(dispatched: DeliveryReportQuerySet, keys: list[int]) -> int:
    """Delete orphans that are dispatched; return their number."""

    def delete() -> int:
        with transaction.atomic(using=dispatched.db):
            # Locked first, because another process may match them. A matched report is not an orphan any more.
            locked = list(dispatched.filter(pk__in=keys).select_for_update().values_list("pk", flat=True))
            DeliveryReport.objects.using(dispatched.db).filter(pk__in=locked).delete()
        return len(locked)

    return db_retry.retry_on_contention(delete, using=dispatched.db)
