"""The list of messages and the page of one: did the customer get it, and if not, why not?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin import display
from django_messente_dlr.admin.base import ReadOnly, ReadOnlyAdmin
from django_messente_dlr.admin.filters import AccountFilter, CauseFilter, ChannelFilter
from django_messente_dlr.admin.search import messages_about
from django_messente_dlr.models import DeliveryReport, SmsMessage

if TYPE_CHECKING:
    from django.contrib.admin import TabularInline

    _ReportInline = TabularInline[DeliveryReport, SmsMessage]
else:
    _ReportInline = admin.TabularInline


class ReportInline(ReadOnly, _ReportInline):
    """The reports about a message on its page, in the order in which they came."""

    model = DeliveryReport
    ordering = ("received_at", "pk")
    verbose_name_plural = _("reports about this message")
    fields = ("received", "source", "stat", "cause", "outcome", "receipts", "dispatched")
    readonly_fields = ("received", "cause", "dispatched")

    @admin.display(description=_("received at"))
    def received(self, report: DeliveryReport) -> SafeString:
        when = display.moment(report.received_at)
        return display.link(DeliveryReport, report.pk, when, site=self.admin_site.name)

    @admin.display(description=_("err"))
    def cause(self, report: DeliveryReport) -> str:
        return display.err_in_words(report.err)

    @admin.display(description=_("signals"))
    def dispatched(self, report: DeliveryReport) -> SafeString:
        return format_html("{}<br>{}", display.dispatch_badge(report), display.moment(report.dispatched_at))


class SmsMessageAdmin(ReadOnlyAdmin[SmsMessage]):
    """Messages: listed with what became of them, found by id or number, shown with all that was reported."""

    list_display = ("identifier", "recipient", "state", "cause", "account", "created", "finalised")
    list_filter = ("status", CauseFilter, AccountFilter, ChannelFilter)
    # These show the box; what it finds is `messages_about`.
    search_fields = ("sms_unique_id", "omnimessage_id", "recipient")
    search_help_text = _("Search by the whole message id, omnimessage id or phone number, in any spelling.")
    inlines = (ReportInline,)
    fieldsets = (
        (None, {"fields": ("outcome", "cause", "advice", "error_text", "reported")}),
        (
            _("Message"),
            {
                "fields": (
                    "recipient",
                    "sender",
                    "text",
                    "account",
                    "channel",
                    "sms_unique_id",
                    "omnimessage_id",
                    "parts",
                    "price_paid",
                    "metadata_lines",
                )
            },
        ),
        (_("Times"), {"fields": ("created_at", "sent_at", "finalised_at", "next_poll_at", "poll_count")}),
    )
    readonly_fields = ("outcome", "cause", "advice", "reported", "price_paid", "metadata_lines")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SmsMessage], search_term: str
    ) -> tuple[QuerySet[SmsMessage], bool]:
        return (messages_about(queryset, search_term) if search_term.strip() else queryset), False

    @admin.display(description=_("message id"))
    def identifier(self, message: SmsMessage) -> SafeString:
        if known := message.sms_unique_id or message.omnimessage_id:
            return display.shortened_id(known)
        # The dash is a link to the page: those who cannot see where it stands hear what it leads to.
        return format_html(
            '<span aria-hidden="true">{}</span><span class="visually-hidden">{}</span>', display.EMPTY, message
        )

    @admin.display(description=_("status"))
    def state(self, message: SmsMessage) -> SafeString | str:
        return display.status_badge(message.status)

    @admin.display(description=_("cause"))
    def cause(self, message: SmsMessage) -> str:
        return display.cause_in_words(message)

    @admin.display(description=_("created at"))
    def created(self, message: SmsMessage) -> SafeString | str:
        return display.moment(message.created_at)

    @admin.display(description=_("final at"))
    def finalised(self, message: SmsMessage) -> SafeString | str:
        return display.moment(message.finalised_at)

    @admin.display(description=_("status"))
    def outcome(self, message: SmsMessage) -> SafeString:
        return display.status_in_words(message.status)

    @admin.display(description=_("what to do"))
    def advice(self, message: SmsMessage) -> str:
        return display.advice_for(message)

    @admin.display(description=_("reported"))
    def reported(self, message: SmsMessage) -> str:
        return display.told_in_words(message.stat, message.err)

    @admin.display(description=_("price"))
    def price_paid(self, message: SmsMessage) -> str:
        return display.amount(message.price)

    @admin.display(description=_("metadata"))
    def metadata_lines(self, message: SmsMessage) -> Any:
        return display.pretty_json(message.metadata)
