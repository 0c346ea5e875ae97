"""What the page of one message shows: the answer first, then all that happened, then what is kept of it."""

from __future__ import annotations

from typing import Any

from django_messente_dlr.admin import formatting, rendering
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


def context_of(message: SmsMessage, user: Any, *, full: bool) -> dict[str, Any]:
    """Return what the page's template needs.

    Args:
        message: the message.
        user: who looks; the reports are for those who may view reports.
        full: whether they may see recipients in full.
    """
    may_dispatch = user.has_perm("django_messente_dlr.change_deliveryreport")
    may_see = may_dispatch or user.has_perm("django_messente_dlr.view_deliveryreport")
    reports = DeliveryReport.objects.filter(message=message).order_by("received_at", "pk") if may_see else ()
    status = Status(message.status)
    return {
        "tone": rendering.TONES[status],
        "sentence": rendering.SENTENCES[status],
        "advice": rendering.advice_for(message),
        "timeline": events(message, reports, full=full),
        "reports_hidden": not may_see,
        "may_dispatch": may_dispatch,
        "empty": formatting.EMPTY,
    }
