"""The page of one message: its result, its timeline and its stored fields."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from django_messente_dlr.admin import causes, formatting, rendering
from django_messente_dlr.admin.masked_message import MaskedMessage
from django_messente_dlr.admin.timeline import events
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status

FIELDS = (
    "masked_recipient",
    "sender",
    "masked_text",
    "account",
    "channel",
    "sms_unique_id",
    "omnimessage_id",
    "reported",
    "error",
    "parts",
    "price_paid",
    "metadata_lines",
)


def message_context(message: SmsMessage, user: Any, *, masked: MaskedMessage) -> dict[str, Any]:
    """Return the values for the template of the page.

    Args:
        message: the message.
        user: the user of the request. The timeline has reports only if the user may view reports.
        masked: the columns that the user may see.
    """
    may_dispatch = user.has_perm("django_messente_dlr.change_deliveryreport")
    may_view_reports = may_dispatch or user.has_perm("django_messente_dlr.view_deliveryreport")
    reports = DeliveryReport.objects.filter(message=message).order_by("received_at", "pk") if may_view_reports else ()
    status = Status(message.status)
    recipient = masked.recipient
    return {
        **({"title": gettext("Message to %(recipient)s") % {"recipient": recipient}} if recipient else {}),
        "tone": rendering.TONES[status],
        "sentence": rendering.SENTENCES[status],
        "cause": masked.cause,
        "advice": causes.advice_text(message),
        "resend_may_help": causes.resend_may_help(message),
        "timeline": events(message, reports, can_see_recipient=masked.can_see_recipient),
        "reports_hidden": not may_view_reports,
        "may_dispatch": may_dispatch,
        "empty": formatting.EMPTY,
    }
