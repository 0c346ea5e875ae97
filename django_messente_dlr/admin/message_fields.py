"""The fields of the page of one message. Django calls the functions with the message, whose columns are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.masked_message import HIDDEN_TEXT, masked_of
from django_messente_dlr.messente.channel_values import WITHOUT_CONTENT
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status


@admin.display(description=_("recipient"))
def masked_recipient(message: SmsMessage) -> str:
    """Return the recipient as the user may see it."""
    return masked_of(message).recipient or formatting.EMPTY


@admin.display(description=_("text"))
def masked_text(message: SmsMessage) -> SafeString | str:
    """Return the text as the user may see it."""
    return rendering.preformatted(masked_of(message).text)


@admin.display(description=_("reference"))
def masked_reference(message: SmsMessage) -> str:
    """Return the project's key as the user may see it."""
    return masked_of(message).reference or formatting.EMPTY


@admin.display(description=_("reported"))
def reported(message: SmsMessage) -> str:
    """Return the codes of the report that decided the status."""
    return rendering.describe_report(message.stat, message.err)


@admin.display(description=_("error"))
def error(message: SmsMessage) -> str:
    """Return the error text as the user may see it."""
    return masked_of(message).error_text or formatting.EMPTY


@admin.display(description=_("price"))
def price_paid(message: SmsMessage) -> str:
    """Return the price without trailing zeros."""
    return formatting.amount(message.price)


@admin.display(description=_("metadata"))
def metadata_lines(message: SmsMessage) -> SafeString | str:
    """Return the metadata as the user may see it."""
    return rendering.pretty_json(masked_of(message).metadata)


@admin.display(description=_("channels"))
def channel_list(message: SmsMessage) -> SafeString | str:
    """Return the channels in the order of sending, each with its sender, its time, its status and its content."""
    shown = masked_of(message)
    statuses: Mapping[str, str] = getattr(message, "channel_statuses", {})
    lines = [
        (
            _described(channel),
            rendering.status_badge(statuses.get(str(stored.get("message_id", "")), "")),
            _content(stored, channel),
        )
        for stored, channel in zip(message.channels, shown.channels, strict=True)
    ]
    items = format_html_join("", "<li>{} {}{}</li>", lines)
    return format_html('<ol class="messente-dlr-channels">{}</ol>', items) if items else formatting.EMPTY


def find_channel_statuses(message: SmsMessage) -> dict[str, str]:
    """Return the status of each channel that has reported one, by its id at Messente.

    Args:
        message: a message with channels.
    """
    ids = [channel["message_id"] for channel in message.channels if channel.get("message_id")]
    if not ids:
        return {}
    reports = DeliveryReport.objects.filter(message=message, sms_unique_id__in=ids).exclude(status="")
    statuses: dict[str, str] = {}
    for channel_id, status in reports.values_list("sms_unique_id", "status"):
        known = statuses.get(channel_id)
        if known is None or Status(status).rank > Status(known).rank:
            statuses[channel_id] = status
    return statuses


def _described(channel: Mapping[str, Any]) -> str:
    parts = [str(channel.get("channel", ""))]
    if sender := channel.get("sender"):
        parts.append(gettext("sender “%(sender)s”") % {"sender": sender})
    seconds = channel.get("ttl") or 60 * (channel.get("validity") or 0)
    if isinstance(seconds, int) and seconds:
        parts.append(gettext("tried for %(time)s") % {"time": formatting.duration(seconds)})
    return ", ".join(parts)


def _content(stored: Mapping[str, Any], shown: Mapping[str, Any]) -> SafeString | str:
    if content := {name: value for name, value in shown.items() if name not in WITHOUT_CONTENT}:
        return rendering.pretty_json(content)
    return rendering.preformatted(HIDDEN_TEXT) if stored.keys() - WITHOUT_CONTENT else ""


# Django allows functions here; its type stubs allow names only. A field without a value is not shown.
COMPUTED: Any = (
    masked_recipient,
    masked_text,
    masked_reference,
    channel_list,
    reported,
    error,
    price_paid,
    metadata_lines,
)
FIELDS: Any = (
    masked_recipient,
    "sender",
    masked_text,
    masked_reference,
    "account",
    "channel",
    channel_list,
    "sms_unique_id",
    "omnimessage_id",
    reported,
    error,
    "parts",
    price_paid,
    metadata_lines,
)
