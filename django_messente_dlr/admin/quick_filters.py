"""Links above the list of reports, each to a filter and with the count of its reports."""

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
    """One link to a filter.

    Attributes:
        label: the text of the link.
        query: the query string of the filter.
        count: the number of reports, up to a cap.
        chosen: whether the list shows this filter now.
    """

    label: str | StrPromise
    query: str
    count: CappedCount
    chosen: bool


def quick_filters(request: HttpRequest) -> list[QuickFilter]:
    """Return the links for a request."""
    reports = DeliveryReport.objects.all()
    outcome = ReportOutcome
    filters = [
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
        for label, name, value, rows in filters
    ]
