"""``{% load messente_dlr %}``: the banner of an outage of credit, and figures as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.base import may_look_at
from django_messente_dlr.models import Account
from django_messente_dlr.models.statuses import Status

register = template.Library()


@register.inclusion_tag("admin/django_messente_dlr/outage.html", takes_context=True)
def messente_dlr_outage(context: Context) -> dict[str, Any]:
    """Show which accounts are out of credits, and nothing where none is."""
    held = list(Account.objects.filter(credits_exhausted_at__isnull=False).order_by("name"))
    user = context.get("user")
    return {"held": held, "may_look": held and user is not None and may_look_at(user, Account)}


@register.simple_tag
def messente_dlr_link(text: Any, page: str, query: str = "") -> SafeString:
    """Return a link, or the text alone where there is no page that the reader may look at."""
    return format_html('<a href="{}{}">{}</a>', page, query, text) if page else format_html("{}", text)


@register.filter
def messente_dlr_ago(moment: datetime | None) -> SafeString | str:
    """Return how long ago a time was, with the time itself to be looked at."""
    return formatting.timesince_tag(moment)


@register.filter
def messente_dlr_duration(seconds: float | None) -> str:
    """Return seconds in words: «4 s», «3 min», «2 h 5 min»."""
    return formatting.duration(seconds)


@register.filter
def messente_dlr_percent(share: float | None) -> str:
    """Return a share (0 to 1) as a percentage, or a dash where there is none."""
    # A hundred is told of all only: 99.96 % is not everybody.
    if share is None:
        return formatting.EMPTY
    percent = min(round(share * 100, 1), 99.9) if share < 1 else 100
    return f"{number_format(percent, 1 if percent % 1 else 0)} %"


@register.filter
def messente_dlr_amount(value: Any) -> str:
    """Return an amount of money, or a dash where there is none."""
    return formatting.amount(value)


@register.filter
def messente_dlr_status(value: str) -> SafeString | str:
    """Return the badge of a status."""
    return rendering.status_badge(Status(value)) if value else formatting.EMPTY


@register.filter
def messente_dlr_share(part: int, whole: int) -> str:
    """Return what ``part`` is of ``whole`` as the width of a bar in a drawing that is a hundred wide."""
    return f"{100 * part / whole:.2f}" if whole else "0"
