"""The list of delivery reports and the page of one report."""

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
from django_messente_dlr.admin.base import can_view
from django_messente_dlr.admin.changelist import LongListAdmin
from django_messente_dlr.admin.filters import DispatchFilter, OutcomeFilter
from django_messente_dlr.admin.quick_filters import quick_filters
from django_messente_dlr.admin.search import search_reports
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.utils import masking

logger = logging.getLogger(__name__)

# Receivers run while the browser waits, so an action takes at most one page of the list.
MAX_SELECTED = 100
MAX_LISTED = 10
SOURCES = dict(DeliveryReport.SOURCES)


class DeliveryReportAdmin(LongListAdmin[DeliveryReport]):
    """List reports with their outcome, and send their signals again by an action."""

    list_display = ("received_ago", "message_link", "reported_short", "outcome_label", "signal_state", "source_label")
    list_filter = (OutcomeFilter, DispatchFilter)
    deferred_fields = ("payload", "signals")
    list_per_page = MAX_SELECTED
    # Django shows the search box only if this is not empty. `search_reports` runs the search.
    search_fields = ("sms_unique_id",)
    search_help_text = _("Search by full message ID.")
    actions = ("send_signals_again",)
    fieldsets = (
        (None, {"fields": ("message_link", "reported", "resulting_status", "cause", "occurred_at")}),
        (
            _("Arrival"),
            {"fields": ("source", "account", "received_at", "times_received", "outcome", "previous_status")},
        ),
        (_("Verified by"), {"fields": ("url_key", "signature_key")}),
        (
            _("Signals"),
            {"fields": ("signal_state", "signal_names", "dispatched_at", "dispatch_due_at", "receiver_errors")},
        ),
        (
            _("Raw report"),
            {"fields": ("sms_unique_id", "omnimessage_id", "token_message_id", "token_created_at", "raw")},
        ),
    )
    readonly_fields = (
        "message_link",
        "reported",
        "resulting_status",
        "cause",
        "previous_status",
        "signal_state",
        "signal_names",
        "receiver_errors",
        "raw",
    )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DeliveryReport | None:
        report = super().get_object(request, object_id, from_field)
        if report is None:
            return None
        self.prepare_rows(request, [report])
        if not masking.may_see_recipients(request.user):
            # Masks this instance, which is never saved.
            number = report.message.recipient if report.message else ""
            ids = {report.sms_unique_id, report.omnimessage_id}
            report.payload = masking.mask_in_json(report.payload, number, ids=ids)
            report.dispatch_error = masking.mask_in_text(report.dispatch_error, number)
        return report

    def prepare_rows(self, request: HttpRequest, rows: list[DeliveryReport]) -> list[DeliveryReport]:
        may_view_message = can_view(request.user, SmsMessage)
        for report in rows:
            report.may_view_message = may_view_message  # type: ignore[attr-defined]
        return rows

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"quick_filters": quick_filters(request)}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeliveryReport], search_term: str
    ) -> tuple[QuerySet[DeliveryReport], bool]:
        return (search_reports(queryset, search_term) if search_term.strip() else queryset), False

    @admin.action(description=_("Send the signals again"), permissions=["act"])
    def send_signals_again(self, request: HttpRequest, queryset: QuerySet[DeliveryReport]) -> None:
        """Send the signals of the selected reports again, in the order in which the reports arrived."""
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
            names = ", ".join(str(report) for report in failed[:MAX_LISTED])
            text = ngettext(
                "A receiver failed for %(count)d report: %(reports)s. See its page or the log for the error.",
                "Receivers failed for %(count)d reports: %(reports)s. See their pages or the log for the errors.",
                len(failed),
            )
            more = " …" if len(failed) > MAX_LISTED else ""
            self.message_user(request, text % {"count": len(failed), "reports": names + more}, messages.ERROR)

    def _dispatch(self, request: HttpRequest, report: DeliveryReport) -> bool:
        try:
            well = dispatch.dispatch_report(report.pk)
        except Exception:  # the signals of the other reports are still sent
            logger.exception("The signals of delivery report %s could not be sent again.", report.pk)
            well = False
        text = gettext("Sent the signals again.") if well else gettext("Sent the signals again; a receiver failed.")
        self.log_change(request, report, text)
        return well

    @admin.display(description=_("received at"))
    def received_ago(self, report: DeliveryReport) -> SafeString | str:
        return formatting.timesince_tag(report.received_at)

    @admin.display(description=_("message"))
    def message_link(self, report: DeliveryReport) -> SafeString | str:
        # The text is the id in the report. The id of the message would require a join for the list.
        message_id = report.sms_unique_id or report.omnimessage_id
        if report.message_id is None or not getattr(report, "may_view_message", False):
            return rendering.shortened_id(message_id) if message_id else formatting.EMPTY
        text = rendering.shortened_id(message_id or f"#{report.message_id}")
        return rendering.link(SmsMessage, report.message_id, text, site=self.admin_site.name)

    @admin.display(description=_("reported"))
    def reported_short(self, report: DeliveryReport) -> SafeString | str:
        if not report.err:
            return report.stat or formatting.EMPTY
        markup = '{} <span class="messente-dlr-under">{}</span>'
        return format_html(markup, report.stat, rendering.error_code_text(report.err))

    @admin.display(description=_("outcome"))
    def outcome_label(self, report: DeliveryReport) -> SafeString:
        # On narrow screens the column "source" is hidden, and the source is shown here.
        markup = '{} <span class="messente-dlr-under messente-dlr-narrow">{}</span>'
        return format_html(markup, report.get_outcome_display(), self.source_label(report))

    @admin.display(description=_("source"))
    def source_label(self, report: DeliveryReport) -> str:
        source = str(SOURCES.get(report.source, report.source))
        # A report that arrived more than once has a count.
        return f"{source} ×{report.times_received}" if report.times_received > 1 else source

    @admin.display(description=_("reported"))
    def reported(self, report: DeliveryReport) -> str:
        return rendering.describe_report(report.stat, report.err)

    @admin.display(description=_("status"))
    def resulting_status(self, report: DeliveryReport) -> SafeString | str:
        return rendering.status_badge(report.status)

    @admin.display(description=_("cause"))
    def cause(self, report: DeliveryReport) -> str:
        return rendering.error_code_text(report.err)

    @admin.display(description=_("previous status"))
    def previous_status(self, report: DeliveryReport) -> SafeString | str:
        return rendering.status_badge(report.previous)

    @admin.display(description=_("signals"))
    def signal_state(self, report: DeliveryReport) -> SafeString:
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
