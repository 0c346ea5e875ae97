"""The list of delivery reports and the page of one: what came, what it did, and whether everybody was told."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import dispatch
from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.base import ReadOnlyAdmin, may_look_at
from django_messente_dlr.admin.changelist import KeysetChangeList
from django_messente_dlr.admin.filters import DispatchFilter, OutcomeFilter
from django_messente_dlr.admin.quick_filters import quick_filters
from django_messente_dlr.admin.search import reports_about
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.utils import masking

logger = logging.getLogger(__name__)

# Receivers run while the browser waits: no more of them than a page of the list holds.
MAX_SELECTED = 100
MAX_NAMED = 10
SOURCES = dict(DeliveryReport.SOURCES)


class DeliveryReportAdmin(ReadOnlyAdmin[DeliveryReport]):
    """Reports as they came, with what they did, and an action that sends their signals again."""

    list_display = ("received", "about", "reported_short", "outcome", "dispatched", "source_label")
    list_filter = (OutcomeFilter, DispatchFilter)
    not_listed = ("payload", "signals")
    list_per_page = MAX_SELECTED
    # This shows the box; what it finds is `reports_about`.
    search_fields = ("sms_unique_id",)
    search_help_text = _("Search by full message ID.")
    actions = ("send_signals_again",)
    fieldsets = (
        (None, {"fields": ("about", "reported", "resulting_status", "cause", "occurred_at")}),
        (
            _("Arrival"),
            {"fields": ("source", "account", "received_at", "times_received", "outcome", "previous_state")},
        ),
        (_("Verified by"), {"fields": ("url_key", "signature_key")}),
        (
            _("Signals"),
            {"fields": ("dispatched", "signal_names", "dispatched_at", "dispatch_due_at", "receiver_errors")},
        ),
        (_("Raw report"), {"fields": ("sms_unique_id", "omnimessage_id", "token_message_id", "raw")}),
    )
    readonly_fields = (
        "about",
        "reported",
        "resulting_status",
        "cause",
        "previous_state",
        "dispatched",
        "signal_names",
        "receiver_errors",
        "raw",
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DeliveryReport | None:
        report = super().get_object(request, object_id, from_field)
        if report is None:
            return None
        self.prepared(request, [report])
        if not masking.may_see_recipients(request.user):
            # Of this page's copy alone: nothing here is ever saved.
            number = report.message.recipient if report.message else ""
            report.payload = masking.mask_in_json(report.payload, number)
            report.dispatch_error = masking.mask_in_text(report.dispatch_error, number)
        return report

    def prepared(self, request: HttpRequest, rows: list[DeliveryReport]) -> list[DeliveryReport]:
        may_follow = may_look_at(request.user, SmsMessage)
        for report in rows:
            report.may_follow = may_follow  # type: ignore[attr-defined]
        return rows

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"quick_filters": quick_filters(request)}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeliveryReport], search_term: str
    ) -> tuple[QuerySet[DeliveryReport], bool]:
        return (reports_about(queryset, search_term) if search_term.strip() else queryset), False

    @admin.action(description=_("Send the signals again"), permissions=["act"])
    def send_signals_again(self, request: HttpRequest, queryset: QuerySet[DeliveryReport]) -> None:
        """Call the receivers of the chosen reports' signals again, in the order in which the reports came."""
        reports = list(queryset.order_by("pk")[: MAX_SELECTED + 1])
        if len(reports) > MAX_SELECTED:
            text = gettext("Choose at most %(count)d reports at a time. Nothing was sent.") % {"count": MAX_SELECTED}
            self.message_user(request, text, messages.ERROR)
            return
        failed = [report for report in reports if not self._dispatch(request, report)]
        if sent := len(reports) - len(failed):
            text = ngettext(
                "The signals of %(count)d report were sent again.",
                "The signals of %(count)d reports were sent again.",
                sent,
            )
            self.message_user(request, text % {"count": sent}, messages.SUCCESS)
        if failed:
            named = ", ".join(str(report) for report in failed[:MAX_NAMED])
            text = ngettext(
                "A receiver failed for %(count)d report: %(reports)s. See its page or the log for the error.",
                "Receivers failed for %(count)d reports: %(reports)s. See their pages or the log for the errors.",
                len(failed),
            )
            more = " …" if len(failed) > MAX_NAMED else ""
            self.message_user(request, text % {"count": len(failed), "reports": named + more}, messages.ERROR)

    def _dispatch(self, request: HttpRequest, report: DeliveryReport) -> bool:
        try:
            well = dispatch.dispatch_report(report.pk)
        except Exception:  # one report's trouble must not keep the others' signals back
            logger.exception("The signals of delivery report %s could not be sent again.", report.pk)
            well = False
        told = gettext("Sent the signals again.") if well else gettext("Sent the signals again; a receiver failed.")
        self.log_change(request, report, told)
        return well

    @admin.display(description=_("received at"))
    def received(self, report: DeliveryReport) -> SafeString | str:
        return formatting.timesince_tag(report.received_at)

    @admin.display(description=_("message"))
    def about(self, report: DeliveryReport) -> SafeString | str:
        # Named by what the report itself tells: the message's own row would be a join for every list.
        known = report.sms_unique_id or report.omnimessage_id
        if report.message_id is None or not getattr(report, "may_follow", False):
            return rendering.shortened_id(known) if known else formatting.EMPTY
        text = rendering.shortened_id(known or f"#{report.message_id}")
        return rendering.link(SmsMessage, report.message_id, text, site=self.admin_site.name)

    @admin.display(description=_("reported"))
    def reported_short(self, report: DeliveryReport) -> SafeString | str:
        if not report.err:
            return report.stat or formatting.EMPTY
        under = '{} <span class="messente-dlr-under">{}</span>'
        return format_html(under, report.stat, rendering.err_in_words(report.err))

    @admin.display(description=_("source"))
    def source_label(self, report: DeliveryReport) -> SafeString | str:
        source = str(SOURCES.get(report.source, report.source))
        # How often it came, where that was more than once.
        return f"{source} ×{report.times_received}" if report.times_received > 1 else source

    @admin.display(description=_("reported"))
    def reported(self, report: DeliveryReport) -> str:
        return rendering.describe_report(report.stat, report.err)

    @admin.display(description=_("status"))
    def resulting_status(self, report: DeliveryReport) -> SafeString | str:
        return rendering.status_badge(report.status)

    @admin.display(description=_("cause"))
    def cause(self, report: DeliveryReport) -> str:
        return rendering.err_in_words(report.err)

    @admin.display(description=_("previous status"))
    def previous_state(self, report: DeliveryReport) -> SafeString | str:
        return rendering.status_badge(report.previous)

    @admin.display(description=_("signals"))
    def dispatched(self, report: DeliveryReport) -> SafeString:
        return rendering.dispatch_badge(report)

    @admin.display(description=_("signal names"))
    def signal_names(self, report: DeliveryReport) -> str:
        return ", ".join(str(name) for name in report.signals) or formatting.EMPTY

    @admin.display(description=_("receiver errors"))
    def receiver_errors(self, report: DeliveryReport) -> SafeString | str:
        return rendering.preformatted(report.dispatch_error)

    @admin.display(description=_("payload"))
    def raw(self, report: DeliveryReport) -> SafeString | str:
        return rendering.pretty_json(report.payload)
