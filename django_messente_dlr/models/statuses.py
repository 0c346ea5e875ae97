"""The statuses of messages with their ranks, and the status of a report. It uses no database and no settings."""

from __future__ import annotations

from functools import cached_property

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode, Stat
from django_messente_dlr.messente.reports import Report

__all__ = ["Status"]


class Status(TextChoices):
    """The status of a message. A report changes it only to a status of a higher rank."""

    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    UNRESOLVED = "unresolved", _("Unresolved")
    FAILED = "failed", _("Failed")
    REJECTED = "rejected", _("Rejected")
    CANCELLED = "cancelled", _("Cancelled")
    DELIVERED = "delivered", _("Delivered")
    SEEN = "seen", _("Seen")

    # The values are cached on each member, because recording one report reads them about a dozen times.
    @cached_property
    def rank(self) -> int:
        """Return the rank. A status never replaces one of a higher rank."""
        return RANKS[self]

    @cached_property
    def is_final(self) -> bool:
        """Return whether Messente counts this status as final. ``UNRESOLVED`` is not: only the polling ended."""
        return self.rank >= Status.FAILED.rank

    @cached_property
    def is_failure(self) -> bool:
        """Return whether the message failed or was rejected."""
        return self in {Status.FAILED, Status.REJECTED}

    @cached_property
    def is_delivery(self) -> bool:
        """Return whether the message reached its recipient. A seen message was delivered, too."""
        return self in {Status.DELIVERED, Status.SEEN}

    @classmethod
    def from_report(cls, report: Report) -> Status | None:
        """Return the Status of a report, or None if neither its ``stat`` nor its ``err`` is recognised.

        - A ``stat`` of the class delivered or seen decides alone.
        - With any other ``stat``, an ``err`` of the class failed or rejected is a failure: the sample code in the
          documentation examines ``err`` unless ``stat`` is ``DELIVRD``. Rejected has precedence over failed.
        - If ``stat`` is ``UNKNOWN``, empty or not recognised, any other ``err`` decides. ``UNKNOWN`` alone is sent.

        Source: Messente's documentation, "Delivery Report". The class of each ``stat`` is inferred from it.
        """
        stat = Stat.from_code(report.stat)
        cause = ErrorCode.from_code(report.err)
        cause_class = cause.delivery_class if cause else None
        stat_class: DeliveryClass | None = stat.delivery_class if stat else None
        delivery_class: DeliveryClass | None
        classes = {stat_class, cause_class}
        if stat_class in {DeliveryClass.DELIVERED, DeliveryClass.SEEN}:
            delivery_class = stat_class
        elif DeliveryClass.REJECTED in classes:
            delivery_class = DeliveryClass.REJECTED
        elif DeliveryClass.FAILED in classes:
            delivery_class = DeliveryClass.FAILED
        elif stat is None or stat is Stat.UNKNOWN:
            delivery_class = cause_class or stat_class
        else:
            delivery_class = stat_class
        return cls(delivery_class.value) if delivery_class else None


# The gaps leave room for more statuses.
RANKS = {
    Status.QUEUED: 0,
    Status.SENT: 10,
    Status.UNRESOLVED: 20,
    Status.FAILED: 30,
    Status.REJECTED: 40,
    Status.CANCELLED: 45,
    Status.DELIVERED: 50,
    Status.SEEN: 60,
}
