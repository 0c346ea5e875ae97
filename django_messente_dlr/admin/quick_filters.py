"""Links to what needs attention, each with its count: above the lists, and on the overview."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin.rendering import DispatchState
from django_messente_dlr.admin.warnings import BacklogCounts
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
        count: the number of rows, up to a cap.
        chosen: whether the list shows this filter now.
    """

    label: str | StrPromise
    query: str
    count: CappedCount
    chosen: bool


LABELS: list[tuple[str, str, StrPromise]] = [
    ("outcome", ReportOutcome.ORPHAN.value, _("Without a message (orphans)")),
    ("outcome", ReportOutcome.UNREADABLE.value, _("Unrecognised status")),
    ("signals", DispatchState.WAITING.value, _("Signals not sent yet")),
    ("signals", DispatchState.FAILED.value, _("A receiver failed")),
]


def quick_filters(request: HttpRequest) -> list[QuickFilter]:
    """Return the links for a request."""
    reports = DeliveryReport.objects.all()
    rows = [
        reports.orphans(),
        filter_partial_index(reports, "outcome", ReportOutcome.UNREADABLE),
        reports.undispatched(),
        reports.dispatch_failed(),
    ]
    return [
        QuickFilter(label, f"{name}={value}", capped_count(matching), request.GET.get(name) == value)
        for (name, value, label), matching in zip(LABELS, rows, strict=True)
    ]


def attention(
    backlog: BacklogCounts, *, messages_url: str, reports_url: str
) -> list[tuple[StrPromise, CappedCount, str]]:
    """Return what needs attention: for each kind a label, its number above zero, and the URL of the list or "".

    Args:
        backlog: the numbers.
        messages_url: the list of messages, or "" if the user may not view it.
        reports_url: the list of reports, or "" if the user may not view it.
    """
    counts = [backlog.orphans, backlog.unreadable, backlog.undispatched, backlog.receivers_failed]
    links = [
        (_("Overdue now"), backlog.overdue, messages_url and f"{messages_url}?status=overdue"),
        (_("Unknown outcome"), backlog.unknown_outcomes, messages_url and f"{messages_url}?queue=unknown"),
    ]
    links += [
        (label, count, reports_url and f"{reports_url}?{name}={value}")
        for (name, value, label), count in zip(LABELS, counts, strict=True)
    ]
    return [link for link in links if link[1]]
