"""The overview page: statistics, warnings and the credit of the accounts. Its one button updates the statistics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from django_messente_dlr import conf
from django_messente_dlr.admin import charts, warnings
from django_messente_dlr.admin import statistics as admin_statistics
from django_messente_dlr.admin.base import ReadOnlyAdmin, can_view
from django_messente_dlr.admin.quick_filters import attention
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import Account, DeliveryReport, MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status

if TYPE_CHECKING:
    from django.urls import URLPattern

# From the bottom of a bar to its top, delivered messages first.
STATUS_ORDER = [
    Status.DELIVERED,
    Status.SEEN,
    Status.SENT,
    Status.QUEUED,
    Status.UNRESOLVED,
    Status.FAILED,
    Status.REJECTED,
    Status.CANCELLED,
]


class OverviewAdmin(ReadOnlyAdmin[MessageStatistics]):
    """Show the statistics of messages on one page instead of a list of rows."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.changelist_view), name=name)]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the overview of the period in the URL. A POST request updates the statistics and redirects."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            # The view permission is enough: an update of the statistics changes no other data. update_statistics()
            # limits how often and for how long it counts.
            self._update_statistics(request)
            return HttpResponseRedirect(request.get_full_path())
        window = admin_statistics.PERIODS.get(request.GET.get("window", ""), admin_statistics.PERIODS["24h"])
        request.current_app = self.admin_site.name
        accounts = list(Account.objects.order_by("name"))
        names = {*conf.accounts(), *(account.name for account in accounts)}
        backlog = warnings.count_backlog(timezone.now(), names)
        messages_url = self._list_url(request, SmsMessage)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Overview"),
            "opts": self.opts,
            "media": self.media,
            **_page_context(window, backlog, accounts),
            "messages_url": messages_url,
            "attention": attention(
                backlog, messages_url=messages_url, reports_url=self._list_url(request, DeliveryReport)
            ),
            "accounts_url": self._list_url(request, Account),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/django_messente_dlr/overview.html", context)

    def _update_statistics(self, request: HttpRequest) -> None:
        if hours := statistics.update_statistics():
            text = ngettext(
                "The statistics of %(count)d hour were updated.",
                "The statistics of %(count)d hours were updated.",
                hours,
            )
            self.message_user(request, text % {"count": hours}, messages.SUCCESS)
            return
        text = gettext(
            "Nothing was counted again, because the figures are recent. An hour is counted again after %(seconds)d "
            "seconds at the earliest, and later if it is older or takes long to count."
        )
        seconds = statistics.MIN_REFRESH_INTERVAL // timedelta(seconds=1)
        self.message_user(request, text % {"seconds": seconds}, messages.INFO)

    def _list_url(self, request: HttpRequest, model: type[Model]) -> str:
        """Return the URL of the list of a model, or "" if the user may not view it."""
        if not can_view(request.user, model):
            return ""
        name = f"admin:django_messente_dlr_{model.__name__.lower()}_changelist"
        return reverse(name, current_app=self.admin_site.name)


def _page_context(
    window: admin_statistics.Period, backlog: warnings.BacklogCounts, accounts: Sequence[Account]
) -> dict[str, Any]:
    now = timezone.now()
    bars = admin_statistics.load_buckets(window, now=now)
    day = bars if window.name == "24h" else admin_statistics.load_buckets(admin_statistics.PERIODS["24h"], now=now)
    whole = admin_statistics.total(bars)
    causes = admin_statistics.rank_causes(whole)
    stored = {account.name for account in accounts}
    return {
        "window": window,
        "windows": list(admin_statistics.PERIODS.values()),
        "whole": admin_statistics.row_of("", whole.statuses),
        "median": whole.seconds_within(0.5),
        "slowest": whole.seconds_within(0.95),
        "statuses": [(status, status.label) for status in STATUS_ORDER],
        "bars": [(bar, [bar.count.statuses[status.value] for status in STATUS_ORDER], bar.count) for bar in bars],
        "ticks": [bars[index].label for index in (0, len(bars) // 2, -1)],
        "chart": charts.stack_bars(
            [
                (
                    bar.label,
                    [(status.value, status.label, bar.count.statuses[status.value]) for status in STATUS_ORDER],
                )
                for bar in bars
            ]
        ),
        "causes": causes,
        "most": max((number for *_, number in causes), default=0),
        "by_account": admin_statistics.rank_groups(whole.by_account),
        "by_prefix": admin_statistics.rank_groups(whole.by_prefix),
        "pending": backlog.pending,
        "accounts": [(account, backlog.queues.get(account.name)) for account in accounts],
        "other_queues": [queue for name, queue in backlog.queues.items() if name not in stored],
        "has_queue": bool(backlog.queues),
        "warnings": warnings.warnings(accounts, day, backlog, now=now),
        "counted_at": statistics.last_updated_at(),
    }
