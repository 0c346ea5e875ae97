"""What needs a look among the reports: a link with a count for each, above their list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin.rendering import DispatchState
from django_messente_dlr.models import DeliveryReport, ReportOutcome
from django_messente_dlr.models.querysets import CappedCount, capped_count, filter_partial_index

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True, slots=True)
class QuickFilter:
    """One link.

    Attributes:
        label: what it leads to.
        query: the filter, as the URL has it.
        count: how many there are.
        chosen: whether the list shows them now.
    """

    label: str | StrPromise
    query: str
    count: CappedCount
    chosen: bool


def quick_filters(request: HttpRequest) -> list[QuickFilter]:
    """Return the links, each with how many it leads to."""
    reports = DeliveryReport.objects.all()
    outcome = ReportOutcome
    found = [
        (_("Without a message (orphans)"), "outcome", outcome.ORPHAN, reports.orphans()),
        (
            _("Unrecognised status"),
            "outcome",
            outcome.UNREADABLE,
            filter_partial_index(reports, "outcome", outcome.UNREADABLE),
        ),
        (_("Signals not sent yet"), "signals", DispatchState.WAITING, reports.undispatched()),
        (_("A receiver failed"), "signals", DispatchState.FAILED, reports.dispatch_failed()),
    ]
    return [
        QuickFilter(label, f"{name}={value.value}", capped_count(rows), request.GET.get(name) == value.value)
        for label, name, value, rows in found
    ]
