"""Questions and claims about the rows, named by state. A claim is short, and nobody else's while its lease lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connections, models, router, transaction

from django_messente_dlr.conf import DEFAULT_ACCOUNT
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER

if TYPE_CHECKING:
    from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage

Row = TypeVar("Row", bound=models.Model)
Rows = TypeVar("Rows", bound="models.QuerySet[Any]")

# What nearly every row says in the end. Nobody looks for those, and no index holds them (`indexes`).
COMMON_VALUES = {"account": DEFAULT_ACCOUNT, "channel": "sms", "outcome": "advanced"}
# The statuses of messages whose reports are waited for.
PENDING_STATUSES = tuple(status.value for status in Status if status.rank < Status.UNRESOLVED.rank)


class SmsMessageQuerySet(models.QuerySet["SmsMessage"]):
    """Questions about messages."""

    def pending(self) -> SmsMessageQuerySet:
        """Those of which nothing final is known and that we still ask about."""
        return self.filter(pending__isnull=False)

    def delivered(self) -> SmsMessageQuerySet:
        """Those that reached their recipient."""
        return self.filter(status__in=[status for status in Status if status.is_delivery])

    def failed(self) -> SmsMessageQuerySet:
        """Those that ended without reaching their recipient."""
        return self.with_status(*(status for status in Status if status.is_failure))

    def unresolved(self) -> SmsMessageQuerySet:
        """Those about which Messente told nothing final within its 48 hours."""
        return self.with_status(Status.UNRESOLVED)

    def with_status(self, *statuses: str) -> SmsMessageQuerySet:
        """Those with one of these statuses, found by an index where it is not that of most messages."""
        if all(status in PENDING_STATUSES for status in statuses):
            return self.pending().filter(status__in=statuses)
        if any(status in {*PENDING_STATUSES, Status.DELIVERED} for status in statuses):
            return self.filter(status__in=statuses)
        return self.filter(uncommon_status__in=statuses)

    def caused_by(self, err: int) -> SmsMessageQuerySet:
        """Those of which Messente has told this ``err``."""
        # 0 says that there was none, as it does of most.
        return self.filter(uncommon_err=err) if err > 0 else self.filter(err=err)

    def of_omnimessage(self, omnimessage_id: str | models.OuterRef) -> SmsMessageQuerySet:
        """Those that belong to an omnimessage."""
        # The second condition is the index's own, without which SQLite does not see that it may use that.
        return self.filter(omnimessage_id=omnimessage_id, omnimessage_id__gt="")

    def due(self, now: datetime) -> SmsMessageQuerySet:
        """Those to be asked about at ``now``, the longest overdue first."""
        return self.filter(pending__due_at__lte=now).order_by("pending__due_at")

    def overdue(self, now: datetime) -> SmsMessageQuerySet:
        """Those that should have been asked about long before ``now``: it seems that nobody asks."""
        return self.filter(pending__due_at__lte=now - OVERDUE_AFTER)


class PendingPollQuerySet(models.QuerySet["PendingPoll"]):
    """Questions about what is waited for."""

    def due(self, now: datetime) -> PendingPollQuerySet:
        """Those to be asked about at ``now``, the longest overdue first."""
        return self.filter(due_at__lte=now).order_by("due_at")

    def claim(self, count: int, *, now: datetime, lease: timedelta) -> list[SmsMessage]:
        """Take up to ``count`` messages that are due; no other poller gets them until the lease has run out.

        Args:
            count: the greatest number to take.
            now: the time at which they are due.
            lease: for how long they are ours.
        """
        claimed: list[PendingPoll] = claim_rows(self.due(now), "due_at", count=count, until=now + lease)
        # What the poller asks with, and no more: texts and metadata of a whole batch are memory for nothing.
        message: Any = self.model._meta.get_field("message").related_model  # noqa: SLF001 - documented as public
        messages = message._base_manager.using(router.db_for_write(self.model))  # noqa: SLF001 - this one, too
        known = messages.only(
            "account", "sms_unique_id", "omnimessage_id", "created_at", "sent_at", "poll_count"
        ).in_bulk([row.pk for row in claimed])
        there = [row for row in claimed if row.pk in known]  # or else it was deleted this moment
        for row in there:
            row.message = known[row.pk]
        return [row.message for row in there]


class DeliveryReportQuerySet(models.QuerySet["DeliveryReport"]):
    """Questions about reports."""

    def orphans(self) -> DeliveryReportQuerySet:
        """Those whose message is not known."""
        return filter_partial_index(self, "outcome", "orphan").filter(message__isnull=True)

    def unreadable(self) -> DeliveryReportQuerySet:
        """Those that say nothing that we know."""
        return self.filter(status="")

    def undispatched(self) -> DeliveryReportQuerySet:
        """Those whose signals have not all been sent yet."""
        return self.filter(dispatch_due_at__isnull=False)

    def dispatch_failed(self) -> DeliveryReportQuerySet:
        """Those of which a receiver raised."""
        return self.filter(dispatch_failed_at__isnull=False)

    def dispatch_due(self, now: datetime) -> DeliveryReportQuerySet:
        """Those whose signals are overdue at ``now``: whoever was to send them did not."""
        return self.filter(dispatch_due_at__lte=now).order_by("dispatch_due_at")

    def claim_dispatch(self, count: int, *, now: datetime, lease: timedelta) -> list[DeliveryReport]:
        """Take up to ``count`` reports whose signals are overdue; nobody else sends them during the lease."""
        return claim_rows(self.dispatch_due(now), "dispatch_due_at", count=count, until=now + lease)


def is_uncommon(column: str) -> models.Q:
    """Return the condition that one of the columns of `COMMON_VALUES` says something else."""
    return ~models.Q(**{column: COMMON_VALUES[column]})


def filter_partial_index(rows: Rows, column: str, *values: str) -> Rows:
    """Return those of some rows whose column says one of some values, as the column's index finds them.

    Args:
        rows: the rows.
        column: one of `COMMON_VALUES`.
        values: what it may say.
    """
    found = rows.filter(**{f"{column}__in": values} if len(values) > 1 else {column: values[0]})
    # The index's own condition, without which SQLite does not see that it may use that.
    return found if COMMON_VALUES[column] in values else found.filter(is_uncommon(column))


class CappedCount(int):
    """A number of rows that says «1000+» where there are more than anybody has counted."""

    is_capped: bool = False

    def __str__(self) -> str:
        return f"{int(self)}+" if self.is_capped else str(int(self))


def capped_count(rows: models.QuerySet[Any], *, cap: int = 1000) -> CappedCount:
    """Return how many rows there are, counted no further than a person would: on millions that takes long.

    Args:
        rows: the rows.
        cap: where counting ends.
    """
    number = rows.order_by()[: cap + 1].count()
    found = CappedCount(min(number, cap))
    found.is_capped = number > cap
    return found


def claim_rows(due: models.QuerySet[Row], field: str, *, count: int, until: datetime) -> list[Row]:
    """Move ``field``, a time, of up to ``count`` rows to ``until`` and return those that nobody else moved first."""
    using = router.db_for_write(due.model)
    due = due.using(using)
    rows_of = due.model._base_manager.using(using)  # noqa: SLF001 - Django documents it as public

    def lock_and_move() -> list[Row]:
        with transaction.atomic(using=using):
            rows = list(due.select_for_update(skip_locked=True)[:count])
            rows_of.filter(pk__in=[row.pk for row in rows]).update(**{field: until})
            return rows

    if connections[using].features.has_select_for_update_skip_locked:
        rows = db_retry.retry_on_contention(lock_and_move, using=using)
    else:
        # Without a transaction: each UPDATE is one by itself, and one that has read keeps SQLite from writing.
        rows = [row for row in due[:count] if _compare_and_swap(rows_of, row, field, until)]
    for row in rows:
        setattr(row, field, until)
    return rows


def _compare_and_swap(rows_of: models.QuerySet[Row], row: Row, field: str, until: datetime) -> bool:
    """Compare and swap: true for the one process whose UPDATE still finds the value that it has read."""
    seen: dict[str, Any] = {"pk": row.pk, field: getattr(row, field)}
    return bool(
        db_retry.retry_on_contention(lambda: rows_of.filter(**seen).update(**{field: until}), using=rows_of.db)
    )
