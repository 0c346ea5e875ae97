"""`Status` with its rank, and the Status that a Report amounts to. Pure: no database, no settings."""

from __future__ import annotations

from functools import cached_property

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode, Stat
from django_messente_dlr.messente.reports import Report


class Status(TextChoices):
    """What is known of a message. A report moves it only to a higher rank."""

    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    UNRESOLVED = "unresolved", _("Unresolved")
    FAILED = "failed", _("Failed")
    REJECTED = "rejected", _("Rejected")
    DELIVERED = "delivered", _("Delivered")
    SEEN = "seen", _("Seen")

    # Each member keeps its answers: a report asks for them a dozen times.
    @cached_property
    def rank(self) -> int:
        """How far this status is from «nothing known»: greater ones are never undone by lesser ones."""
        return RANKS[self]

    @cached_property
    def is_final(self) -> bool:
        """Whether Messente calls this the end. ``UNRESOLVED`` is not: we only stop asking."""
        return self.rank >= Status.FAILED.rank

    @cached_property
    def is_failure(self) -> bool:
        """Whether the message ended without reaching its recipient."""
        return self in {Status.FAILED, Status.REJECTED}

    @cached_property
    def is_delivery(self) -> bool:
        """Whether the message reached its recipient. What was seen was delivered too."""
        return self in {Status.DELIVERED, Status.SEEN}

    @classmethod
    def from_report(cls, report: Report) -> Status | None:
        """Return the Status that a report amounts to, or None where nothing in it is known.

        Where ``stat`` says delivered, ``err`` is not looked at; where it says failure, an err of the class rejected
        makes it rejected; ``UNKNOWN``, no word, and a word that we do not know leave it to ``err`` (documentation:
        «Delivery Report»; which class a stat belongs to is inferred).
        """
        stat = Stat.from_code(report.stat)
        cause = ErrorCode.from_code(report.err)
        told = cause.delivery_class if cause else None
        if stat is None or stat is Stat.UNKNOWN:
            decided = told or (stat.delivery_class if stat else None)
        elif stat.delivery_class is DeliveryClass.FAILED and told is DeliveryClass.REJECTED:
            decided = DeliveryClass.REJECTED
        else:
            decided = stat.delivery_class
        return cls(decided.value) if decided else None


# With room between them for statuses to come.
RANKS = {status: 10 * position for position, status in enumerate(Status)}
