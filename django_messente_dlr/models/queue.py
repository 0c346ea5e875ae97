"""The model of a queued message: a message that waits to be sent, and what is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models.claims import claim_rows
from django_messente_dlr.models.fields import PrimaryKeyOneToOneField
from django_messente_dlr.models.indexes import PartialIndexIfSupported
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.utils.times import shift


class QueuePriority(models.IntegerChoices):
    """The priorities of queued messages. A higher one is sent first."""

    LOW = 10, _("Low")
    REGULAR = 20, _("Regular")
    HIGH = 30, _("High")


class QueuedMessageQuerySet(models.QuerySet["QueuedMessage"]):
    """The states of queued messages. Each row is in one of `waiting`, `claimed`, `attempted` and `unknown`."""

    def waiting(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the messages that no worker has claimed at ``now``, whether they are due or not."""
        return self.filter(Q(leased_until=None) | Q(leased_until__lte=now), attempted_at=None)

    def due(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the waiting messages that are to be sent at ``now``."""
        return self.waiting(now).filter(due_at__lte=now)

    def claimed(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the messages that a worker has reserved at ``now``, and has not begun to send."""
        return self.filter(attempted_at=None, leased_until__gt=now)

    def attempted(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the messages that a worker has begun to send, and whose result it may still record at ``now``."""
        return self.filter(attempted_at__isnull=False, leased_until__gt=now)

    def unknown(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the messages that a worker has begun to send, and whose outcome is unknown at ``now``."""
        return self.filter(attempted_at__isnull=False, leased_until__lte=now)

    def claim(
        self, count: int, *, account: str, priority: int, now: datetime, lease: timedelta
    ) -> list[QueuedMessage]:
        """Claim messages that are due, in the order of their times. No other worker gets them until the lease ends.

        One priority of one account is a range of the index, whatever else the queue contains.

        Args:
            count: the greatest number of messages.
            account: their account.
            priority: their priority.
            now: the time at which they are due.
            lease: the duration of the claim.
        """
        due = self.due(now).filter(account=account, priority=priority).order_by("due_at")
        return claim_rows(due, "leased_until", count=count, until=shift(now, lease))


class QueuedMessage(models.Model):
    """A message that waits in the queue, or that a worker is sending.

    The row is created with its message, and deleted when the result is known. Until a worker begins to send the
    message, it has no `PendingPoll`. Once ``attempted_at`` is set, no worker claims the row again, because Messente
    may have the message.
    """

    message = PrimaryKeyOneToOneField(
        SmsMessage, verbose_name=_("message"), related_name="queued", on_delete=models.CASCADE, primary_key=True
    )
    account = models.CharField(_("account"), max_length=64)  # copied from the message, for the claim
    # What the message does not store: see sending.queue.content. It contains the text.
    content = models.JSONField(_("content"), default=dict)
    priority = models.SmallIntegerField(
        _("priority"), choices=QueuePriority.choices, default=QueuePriority.REGULAR.value
    )
    # None once a worker has begun to send the message. No claim can then find it, on any database.
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)  # those that certainly sent nothing
    leased_until = models.DateTimeField(_("reserved until"), null=True, blank=True)
    attempted_at = models.DateTimeField(_("attempted at"), null=True, blank=True)

    objects = QueuedMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("queued message")
        verbose_name_plural = _("queued messages")
        constraints = [
            # A row with neither time would never be sent, and one with both could be sent twice.
            models.CheckConstraint(
                condition=Q(due_at__isnull=False, attempted_at__isnull=True)
                | Q(due_at__isnull=True, attempted_at__isnull=False),
                name="messente_dlr_queue_state",
            ),
            # A claim searches for these priorities only.
            models.CheckConstraint(
                condition=Q(priority__in=QueuePriority.values), name="messente_dlr_queue_priority"
            ),
        ]
        indexes = [
            PartialIndexIfSupported(
                fields=["account", "priority", "due_at"],
                condition=Q(attempted_at__isnull=True),
                name="messente_dlr_queue_due",
            ),
            PartialIndexIfSupported(
                fields=["attempted_at"],
                condition=Q(attempted_at__isnull=False),
                name="messente_dlr_queue_attempted",
            ),
        ]

    def __str__(self) -> str:
        return str(self.message_id)
