"""The list of messages and the page of one: did the customer get it, and if not, why not?"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import conf, polling
from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.actions.export import export_messages
from django_messente_dlr.admin.actions.poll import poll_messages
from django_messente_dlr.admin.actions.resend import send_messages_again, why_not
from django_messente_dlr.admin.base import ReadOnlyAdmin
from django_messente_dlr.admin.changelist import KeysetChangeList
from django_messente_dlr.admin.filters import AGE, AccountFilter, AgeFilter, CauseFilter, ChannelFilter, StatusFilter
from django_messente_dlr.admin.masked_message import MaskedMessage, latest_sources, mask_for
from django_messente_dlr.admin.message_detail import FIELDS, context_of
from django_messente_dlr.admin.search import messages_about
from django_messente_dlr.models import SmsMessage


class SmsMessageAdmin(ReadOnlyAdmin[SmsMessage]):
    """Messages: listed with what became of them, found by id or number, shown with all that happened to them."""

    list_display = ("recipient_and_id", "status_badge", "cause", "account", "created", "finalised")
    list_filter = (StatusFilter, AgeFilter, CauseFilter, AccountFilter, ChannelFilter)
    # These show the box; what it finds is `messages_about`.
    search_fields = ("sms_unique_id", "omnimessage_id", "recipient")
    search_help_text = _("Search by full message ID, omnimessage ID or phone number in any format.")
    not_listed = ("text", "metadata")
    actions = ("poll_now", "resend", "export")
    fieldsets = ((_("Message"), {"fields": FIELDS}),)
    readonly_fields = ("masked_recipient", "masked_text", "reported", "error", "price_paid", "metadata_lines")

    def get_fieldsets(self, request: HttpRequest, obj: SmsMessage | None = None) -> Any:
        """Return what is known of a message, without the lines that would be empty."""
        [(title, options)] = self.fieldsets
        if obj is None:
            return self.fieldsets
        known = [name for name in options["fields"] if self._value(str(name), obj) not in {"", formatting.EMPTY}]
        return [(title, {**options, "fields": known})]

    def _value(self, name: str, message: SmsMessage) -> str:
        read = getattr(self, name, None)
        value = read(message) if read else getattr(message, name)
        return "" if value is None else str(value)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # The order that the filter's own index has: else a database may read the table to the end for a few rows.
        if AGE in request.GET:
            return ("-created_at", "-pk")
        return ("-pending__due_at", "-pk") if request.GET.get("status") == "overdue" else ("-pk",)

    def get_list_display(self, request: HttpRequest) -> Any:
        several = len(conf.accounts()) > 1
        return [name for name in self.list_display if several or name != "account"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SmsMessage], search_term: str
    ) -> tuple[QuerySet[SmsMessage], bool]:
        return (messages_about(queryset, search_term) if search_term.strip() else queryset), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> SmsMessage | None:
        message = super().get_object(request, object_id, from_field)
        if message is not None:
            message.shown = mask_for(message, request.user)  # type: ignore[attr-defined]
        return message

    def prepared(self, request: HttpRequest, rows: list[SmsMessage]) -> list[SmsMessage]:
        sources = latest_sources(rows)
        for message in rows:
            message.shown = mask_for(message, request.user)  # type: ignore[attr-defined]
            message.latest_source = sources.get(message.pk, "")  # type: ignore[attr-defined]
        return rows

    def render_change_form(  # noqa: PLR0917 - Django's own signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: SmsMessage | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                **context_of(obj, request.user, full=_shown(obj).full),
                "cause": _shown(obj).cause,
                "may_poll": self.has_act_permission(request) and polling.can_poll(obj),
                "may_resend": self.has_resend_permission(request) and not why_not(obj),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may send messages again, which costs money."""
        return bool(request.user.has_perm("django_messente_dlr.resend_smsmessage"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may take the list away."""
        return bool(request.user.has_perm("django_messente_dlr.export_smsmessage"))

    @admin.action(description=_("Poll now"), permissions=["act"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Ask Messente about the chosen messages now, and tell what came of it for each."""
        return poll_messages(self, request, queryset)

    @admin.action(description=_("Send again …"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> HttpResponse | None:
        """Ask first, then send the chosen messages' texts to their recipients once more, as new messages."""
        return send_messages_again(self, request, queryset)

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[SmsMessage]) -> StreamingHttpResponse:
        """Give the chosen messages as a file; with all pages chosen, all that the filters find."""
        return export_messages(request, queryset)

    @admin.display(description=_("recipient"))
    def recipient_and_id(self, message: SmsMessage) -> SafeString:
        number, known = _shown(message).recipient, message.sms_unique_id or message.omnimessage_id
        if number and known:
            under = '{} <span class="messente-dlr-under messente-dlr-wide">{}</span>'
            return format_html(under, number, rendering.shortened_id(known))
        if number or known:
            return format_html("{}", number) if number else rendering.shortened_id(known)
        # The dash is a link to the page: those who cannot see where it stands hear what it leads to.
        dash = '<span aria-hidden="true">{}</span><span class="visually-hidden">{}</span>'
        return format_html(dash, formatting.EMPTY, message)

    @admin.display(description=_("status"))
    def status_badge(self, message: SmsMessage) -> SafeString | str:
        # Where there is no room for a column of its own, the age stands here.
        under = '{} <span class="messente-dlr-under messente-dlr-narrow">{}</span>'
        return format_html(
            under, rendering.status_badge(message.status), formatting.timesince_tag(message.created_at)
        )

    @admin.display(description=_("cause"))
    def cause(self, message: SmsMessage) -> SafeString | str:
        text = _shown(message).cause
        return text if text == formatting.EMPTY else format_html('<span class="messente-dlr-cause">{}</span>', text)

    @admin.display(description=_("age"))
    def created(self, message: SmsMessage) -> SafeString:
        stamp = formatting.short_datetime(message.created_at)
        under = '{}<span class="messente-dlr-under messente-dlr-wide">{}</span>'
        return format_html(under, formatting.timesince_tag(message.created_at), stamp)

    @admin.display(description=_("time to final"))
    def finalised(self, message: SmsMessage) -> SafeString | str:
        took = formatting.EMPTY
        if message.finalised_at is not None:
            took = formatting.duration(
                max((message.finalised_at - (message.sent_at or message.created_at)).total_seconds(), 0)
            )
        # How its status was learnt stands under it, whether that is final or not.
        return format_html(
            '{} <span class="messente-dlr-under">{}</span>', took, getattr(message, "latest_source", "")
        )

    @admin.display(description=_("recipient"))
    def masked_recipient(self, message: SmsMessage) -> str:
        return _shown(message).recipient or formatting.EMPTY

    @admin.display(description=_("text"))
    def masked_text(self, message: SmsMessage) -> SafeString | str:
        return rendering.preformatted(_shown(message).text)

    @admin.display(description=_("reported"))
    def reported(self, message: SmsMessage) -> str:
        return rendering.describe_report(message.stat, message.err)

    @admin.display(description=_("error"))
    def error(self, message: SmsMessage) -> str:
        return _shown(message).error_text or formatting.EMPTY

    @admin.display(description=_("price"))
    def price_paid(self, message: SmsMessage) -> str:
        return formatting.amount(message.price)

    @admin.display(description=_("metadata"))
    def metadata_lines(self, message: SmsMessage) -> Any:
        return rendering.pretty_json(_shown(message).metadata)


def _shown(message: SmsMessage) -> MaskedMessage:
    """Return what the reader may see of a message; of one that nobody prepared, as little as anybody."""
    return getattr(message, "shown", None) or mask_for(message, None)
