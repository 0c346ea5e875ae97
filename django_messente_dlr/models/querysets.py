"""QuerySets with methods for the states of messages, pending polls and reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, router

from django_messente_dlr.conf import DEFAULT_ACCOUNT
from django_messente_dlr.models.claims import claim_rows
from django_messente_dlr.models.recipients import recipient_spellings
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER
from django_messente_dlr.utils.times import shift

if TYPE_CHECKING:
    from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage

Rows = TypeVar("Rows", bound="models.QuerySet[Any]")

# The values that nearly every row has. They are not searched for, and the partial indexes exclude them.
COMMON_VALUES = {"account": DEFAULT_ACCOUNT, "channel": "sms", "outcome": "advanced"}
# The statuses of messages that are polled.
PENDING_STATUSES = tuple(status.value for status in Status if status.rank < Status.UNRESOLVED.rank)

# A message of `prepare_sms` that is not sent yet: no report and no poll ends it. See `SmsMessage.is_prepared`.
IS_PREPARED = models.Q(status=Status.QUEUED.value, sent_at=None, send_at=None, sms_unique_id=None, omnimessage_id="")


class SmsMessageQuerySet(models.QuerySet["SmsMessage"]):
    """Filters for messages."""

    def pending(self) -> SmsMessageQuerySet:
        """Return the messages that have no final status and are still polled."""
        return self.filter(pending__isnull=False)

    def delivered(self) -> SmsMessageQuerySet:
        """Return the messages that reached their recipients."""
        return self.filter(status__in=[status for status in Status if status.is_delivery])

    def failed(self) -> SmsMessageQuerySet:
        """Return the messages that failed or were rejected."""
        return self.with_status(*(status for status in Status if status.is_failure))

    def cancelled(self) -> SmsMessageQuerySet:
        """Return the messages that were cancelled at Messente before they were sent."""
        return self.with_status(Status.CANCELLED)

    def unresolved(self) -> SmsMessageQuerySet:
        """Return the messages for which Messente reported nothing final until 48 hours after their validity."""
        return self.with_status(Status.UNRESOLVED)

    def with_status(self, *statuses: str) -> SmsMessageQuerySet:
        """Return the messages with one of these statuses. An index is used unless most messages have the status."""
        if all(status in PENDING_STATUSES for status in statuses):
            unsettled = self._unsettled() if Status.QUEUED in statuses else self.pending()
            return unsettled.filter(status__in=statuses)
        if any(status in {*PENDING_STATUSES, Status.DELIVERED} for status in statuses):
            return self.filter(status__in=statuses)
        return self.filter(uncommon_status__in=statuses)

    def _unsettled(self) -> SmsMessageQuerySet:
        """Return the messages that are polled or in the send queue. Two small tables have their keys."""
        rows: list[Any] = [self.model._meta.get_field(name).related_model for name in ("pending", "queued")]  # noqa: SLF001 - documented
        pending, queued = (model.objects.values("pk") for model in rows)
        return self.filter(pk__in=pending.union(queued))

    def caused_by(self, err: int) -> SmsMessageQuerySet:
        """Return the messages with this ``err``."""
        # The index excludes 0 (no error), which most messages have.
        return self.filter(uncommon_err=err) if err > 0 else self.filter(err=err)

    def of_omnimessage(self, omnimessage_id: str | models.OuterRef) -> SmsMessageQuerySet:
        """Return the messages of an omnimessage."""
        # The second condition repeats the condition of the partial index. SQLite does not use the index without it.
        return self.filter(omnimessage_id=omnimessage_id, omnimessage_id__gt="")

    def for_recipient(self, number: str) -> SmsMessageQuerySet:
        """Return the messages to a number, in any of the spellings in which it may be stored.

        Args:
            number: a number in international format, or a national one if ``DEFAULT_REGION`` is set.
        """
        return self.filter(recipient__in=recipient_spellings(number))

    def for_reference(self, reference: str) -> SmsMessageQuerySet:
        """Return the messages with the project's own key, such as an order number."""
        # The second condition repeats the condition of the partial index. SQLite does not use the index without it.
        return self.filter(reference=reference, reference__gt="")

    def due(self, now: datetime) -> SmsMessageQuerySet:
        """Return the messages that are due for a poll at ``now``, the longest overdue first."""
        return self.filter(pending__due_at__lte=now).order_by("pending__due_at")

    def overdue(self, now: datetime) -> SmsMessageQuerySet:
        """Return the messages whose poll is overdue by `OVERDUE_AFTER`: probably no poller is running."""
        return self.filter(pending__due_at__lte=shift(now, -OVERDUE_AFTER))


class PendingPollQuerySet(models.QuerySet["PendingPoll"]):
    """Filters and claims for pending polls."""

    def due(self, now: datetime) -> PendingPollQuerySet:
        """Return the polls that are due at ``now``, the longest overdue first."""
        return self.filter(due_at__lte=now).order_by("due_at")

    def claim(self, count: int, *, now: datetime, lease: timedelta) -> list[SmsMessage]:
        """Claim messages that are due and return them. No other poller can claim them until the lease ends.

        Args:
            count: the greatest number of messages.
            now: the time at which they are due.
            lease: the duration of the claim.
        """
        claimed: list[PendingPoll] = claim_rows(self.due(now), "due_at", count=count, until=shift(now, lease))
        # Only the columns that a poll needs: the texts and metadata of a batch may need much memory.
        message: Any = self.model._meta.get_field("message").related_model  # noqa: SLF001 - documented as public
        messages = message._base_manager.using(router.db_for_write(self.model))  # noqa: SLF001 - documented as public
        by_pk = messages.only(
            *("account", "sms_unique_id", "omnimessage_id", "rank", "poll_count"),
            *("created_at", "sent_at", "send_at", "validity"),
        ).in_bulk([row.pk for row in claimed])
        existing = [row for row in claimed if row.pk in by_pk]  # a message may have been deleted after the claim
        for row in existing:
            row.message = by_pk[row.pk]
        return [row.message for row in existing]


class DeliveryReportQuerySet(models.QuerySet["DeliveryReport"]):
    """Filters and claims for delivery reports."""

    def orphans(self) -> DeliveryReportQuerySet:
        """Return the reports without a message."""
        return filter_partial_index(self, "outcome", "orphan").filter(message__isnull=True)

    def unreadable(self) -> DeliveryReportQuerySet:
        """Return the reports whose status is not recognised."""
        return self.filter(status="")

    def undispatched(self) -> DeliveryReportQuerySet:
        """Return the reports whose signals have not all been sent."""
        return self.filter(dispatch_due_at__isnull=False)

    def dispatch_failed(self) -> DeliveryReportQuerySet:
        """Return the reports for which a receiver raised an exception."""
        return self.filter(dispatch_failed_at__isnull=False)

    def dispatch_due(self, now: datetime) -> DeliveryReportQuerySet:
        """Return the reports whose signals are overdue at ``now``, because the process that recorded them died."""
        return self.filter(dispatch_due_at__lte=now).order_by("dispatch_due_at")

    def claim_dispatch(self, count: int, *, now: datetime, lease: timedelta) -> list[DeliveryReport]:
        """Claim up to ``count`` overdue reports. No other process can claim or send them until the lease ends."""
        return claim_rows(self.dispatch_due(now), "dispatch_due_at", count=count, until=shift(now, lease))


def is_uncommon(column: str) -> models.Q:
    """Return the condition that a column of `COMMON_VALUES` has another value than its common one."""
    return ~models.Q(**{column: COMMON_VALUES[column]})


def filter_partial_index(rows: Rows, column: str, *values: str) -> Rows:
    """Return the rows whose column has one of some values, in a form that can use the column's partial index.

    Args:
        rows: the rows.
        column: a column of `COMMON_VALUES`.
        values: the values.
    """
    matching = rows.filter(**{f"{column}__in": values} if len(values) > 1 else {column: values[0]})
    # The added condition repeats the condition of the partial index. SQLite does not use the index without it.
    return matching if COMMON_VALUES[column] in values else matching.filter(is_uncommon(column))


class CappedCount(int):
    """A number of rows, which is shown as "1000+" if counting stopped at the cap."""

    is_capped: bool = False

    def __str__(self) -> str:
        return f"{int(self)}+" if self.is_capped else str(int(self))


def capped_count(rows: models.QuerySet[Any], *, cap: int = 1000) -> CappedCount:
    """Return the number of rows, up to a cap. Counting millions of rows takes too long for a page of the admin.

    Args:
        rows: the rows.
        cap: the number at which counting stops.
    """
    number = rows.order_by()[: cap + 1].count()
    capped = CappedCount(min(number, cap))
    capped.is_capped = number > cap
    return capped
