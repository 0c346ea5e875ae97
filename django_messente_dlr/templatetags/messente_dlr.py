"""``{% load messente_dlr %}``: the banner for accounts out of credits, links, and formats of values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_messente_dlr.accounts import held_accounts
from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.base import can_view
from django_messente_dlr.models import Account
from django_messente_dlr.models.statuses import Status

register = template.Library()


@register.inclusion_tag("admin/django_messente_dlr/outage.html", takes_context=True)
def messente_dlr_outage(context: Context) -> dict[str, Any]:
    """Render a banner with the accounts that are out of credits, or nothing if there are none."""
    held = list(held_accounts())
    user = context.get("user")
    return {"held": held, "may_look": held and user is not None and can_view(user, Account)}


@register.simple_tag
def messente_dlr_link(text: Any, page: str, query: str = "") -> SafeString:
    """Return a link to ``page`` with the query string ``query``, or only the text if ``page`` is empty."""
    return format_html('<a href="{}{}">{}</a>', page, query, text) if page else format_html("{}", text)


@register.filter
def messente_dlr_hold_note(account: Account) -> str:
    """Return why no balance check ends the hold of an account yet; "" if the next one may."""
    return rendering.hold_note(account)


@register.filter
def messente_dlr_ago(moment: datetime | None) -> SafeString | str:
    """Return how long ago a time was, with the exact time as a title."""
    return formatting.timesince_tag(moment)


@register.filter
def messente_dlr_duration(seconds: float | None) -> str:
    """Return a duration in seconds as text: "4 s", "3 min 20 s", "2 h 5 min"."""
    return formatting.duration(seconds)


@register.filter
def messente_dlr_percent(fraction: float | None) -> str:
    """Return a fraction (0 to 1) as a percentage, or a dash for None."""
    # Only 1 is shown as 100 %. A fraction that would round up to it is shown as 99.9 %.
    if fraction is None:
        return formatting.EMPTY
    percent = min(round(fraction * 100, 1), 99.9) if fraction < 1 else 100
    return f"{number_format(percent, 1 if percent % 1 else 0)} %"


@register.filter
def messente_dlr_amount(value: Any) -> str:
    """Return an amount of money, or a dash for None."""
    return formatting.amount(value)


@register.filter
def messente_dlr_status(value: str) -> SafeString | str:
    """Return the badge of a status, or a dash for an empty value."""
    return rendering.status_badge(Status(value)) if value else formatting.EMPTY


@register.filter
def messente_dlr_share(value: int, maximum: int) -> str:
    """Return the width of the bar for ``value`` in a drawing of width 100, in which ``maximum`` fills the width."""
    return f"{100 * value / maximum:.2f}" if maximum else "0"
