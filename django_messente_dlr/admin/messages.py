"""The list of messages and the page of one message."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import conf, polling
from django_messente_dlr.admin import causes, formatting, message_fields, rendering
from django_messente_dlr.admin.actions import cancel as cancelling
from django_messente_dlr.admin.actions import erase
from django_messente_dlr.admin.actions.export import export_messages
from django_messente_dlr.admin.actions.poll import poll_messages
from django_messente_dlr.admin.actions.resend import send_messages_again, why_not
from django_messente_dlr.admin.base import can_view
from django_messente_dlr.admin.changelist import LongListAdmin
from django_messente_dlr.admin.filters import AGE, AccountFilter, AgeFilter, CauseFilter, ChannelFilter, StatusFilter
from django_messente_dlr.admin.masked_message import find_latest_sources, mask_for, masked_of
from django_messente_dlr.admin.message_detail import message_context
from django_messente_dlr.admin.queue import QueueFilter, queue_filters
from django_messente_dlr.admin.search import search_messages
from django_messente_dlr.models import DeliveryReport, SmsMessage


class SmsMessageAdmin(LongListAdmin[SmsMessage]):
    """List messages with status and cause, search them by id or recipient, and show the timeline of each."""

    list_display: tuple[str, ...] = ("recipient_and_id", "status_badge", "cause", "sender_name", "account_name")
    list_display += ("created", "finalised")
    list_filter = (StatusFilter, QueueFilter, AgeFilter, CauseFilter, AccountFilter, ChannelFilter)
    # Django shows the search box only if this is not empty. `search_messages` runs the search.
    search_fields = ("sms_unique_id", "omnimessage_id", "reference", "recipient")
    search_help_text = _("Search by full message ID, omnimessage ID, reference or phone number in any format.")
    deferred_fields = ("text", "metadata", "options", "channels")
    actions = ("poll_now", "resend", "cancel", "export", "erase")
    fieldsets = ((_("Message"), {"fields": message_fields.FIELDS}),)
    readonly_fields = message_fields.COMPUTED

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # The order of the index that serves the filter. In another order a database may read the whole table to find
        # a few rows.
        if AGE in request.GET:
            return ("-created_at", "-pk")
        return ("-pending__due_at", "-pk") if request.GET.get("status") == "overdue" else ("-pk",)

    def get_list_display(self, request: HttpRequest) -> Any:
        several = len(conf.accounts()) > 1
        return [name for name in self.list_display if several or name != "account_name"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SmsMessage], search_term: str
    ) -> tuple[QuerySet[SmsMessage], bool]:
        return (search_messages(queryset, search_term) if search_term.strip() else queryset), False

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"quick_filters": queue_filters(request)}

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> SmsMessage | None:
        message = super().get_object(request, object_id, from_field)
        if message is not None:
            message.error_text = causes.full_error_text(message)  # this instance is never saved
            message.masked = mask_for(message, request.user)  # type: ignore[attr-defined]
            if can_view(request.user, DeliveryReport):
                message.channel_statuses = message_fields.find_channel_statuses(message)  # type: ignore[attr-defined]
        return message

    def prepare_rows(self, request: HttpRequest, rows: list[SmsMessage]) -> list[SmsMessage]:
        sources = find_latest_sources(rows)
        for message in rows:
            message.masked = mask_for(message, request.user)  # type: ignore[attr-defined]
            message.latest_source = sources.get(message.pk, "")  # type: ignore[attr-defined]
        return rows

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        if (message := context.get("original")) is not None:
            context |= {
                **message_context(message, request.user, masked=masked_of(message)),
                "may_poll": self.has_act_permission(request) and polling.can_poll(message),
                "may_cancel": self.has_cancel_permission(request) and not cancelling.why_not(message),
                "may_resend": self.has_resend_permission(request) and not why_not(message),
            }
        return super().render_change_form(request, context, *args, **options)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may send messages again. Messente charges for each message."""
        return bool(request.user.has_perm("django_messente_dlr.resend_smsmessage"))

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may cancel messages at Messente."""
        return bool(request.user.has_perm("django_messente_dlr.cancel_smsmessage"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may export messages."""
        return bool(request.user.has_perm("django_messente_dlr.export_smsmessage"))

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may erase recipients, which cannot be undone."""
        return bool(request.user.has_perm("django_messente_dlr.erase_recipient"))

    @admin.action(description=_("Poll now"), permissions=["act"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Poll the selected messages now, and show the result for each."""
        return poll_messages(self, request, queryset)

    @admin.action(description=_("Send again …"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Ask for confirmation, then send the texts of the selected messages again, as new messages."""
        return send_messages_again(self, request, queryset)

    @admin.action(description=_("Cancel …"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Ask for confirmation, then cancel the selected scheduled messages at Messente."""
        return cancelling.cancel_messages(self, request, queryset)

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> StreamingHttpResponse:
        """Return the selected messages as a file. If all pages are selected, these are all that match the filters."""
        return export_messages(request, queryset)

    @admin.action(description=_("Erase recipients …"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Ask for confirmation, then erase the numbers of the selected messages wherever they are stored."""
        return erase.erase_numbers(self, request, queryset)

    @admin.display(description=_("recipient"))
    def recipient_and_id(self, message: SmsMessage) -> SafeString:
        return rendering.number_and_id(message, masked_of(message).recipient)

    @admin.display(description=_("status"))
    def status_badge(self, message: SmsMessage) -> SafeString | str:
        # On narrow screens the column "age" is hidden, and the age is shown here.
        markup = '{} <span class="messente-dlr-under messente-dlr-narrow">{}</span>'
        return format_html(
            markup, rendering.status_badge(message.status), formatting.timesince_tag(message.created_at)
        )

    @admin.display(description=_("cause"))
    def cause(self, message: SmsMessage) -> SafeString | str:
        text = Truncator(masked_of(message).cause).chars(80)
        return text if text == formatting.EMPTY else format_html('<span class="messente-dlr-cause">{}</span>', text)

    @admin.display(description=_("sender"))
    def sender_name(self, message: SmsMessage) -> SafeString | str:
        # A column of its own for the reference would not fit the width of the list in every language.
        return rendering.with_reference(message.sender or formatting.EMPTY, masked_of(message).reference)

    @admin.display(description=_("account"))
    def account_name(self, message: SmsMessage) -> str:
        return message.account

    @admin.display(description=_("age"))
    def created(self, message: SmsMessage) -> SafeString:
        stamp = formatting.short_datetime(message.created_at)
        markup = '{}<span class="messente-dlr-under messente-dlr-wide">{}</span>'
        return format_html(markup, formatting.timesince_tag(message.created_at), stamp)

    @admin.display(description=_("time to final"))
    def finalised(self, message: SmsMessage) -> SafeString | str:
        # The source of the status is shown below, also for a status that is not final.
        markup = '{} <span class="messente-dlr-under">{}</span>'
        return format_html(markup, rendering.time_to_final(message), getattr(message, "latest_source", ""))
