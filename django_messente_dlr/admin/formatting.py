"""Times, lengths of time and amounts as people write them, in their language and time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext, ngettext_lazy

EMPTY = "–"
# Whole, since a language may inflect the unit there: «3 Tage», but «vor 3 Tagen».
PAST: dict[str, Any] = {
    "year": ngettext_lazy("%(num)d year ago", "%(num)d years ago", "num"),
    "month": ngettext_lazy("%(num)d month ago", "%(num)d months ago", "num"),
    "week": ngettext_lazy("%(num)d week ago", "%(num)d weeks ago", "num"),
    "day": ngettext_lazy("%(num)d day ago", "%(num)d days ago", "num"),
    "hour": ngettext_lazy("%(num)d hour ago", "%(num)d hours ago", "num"),
    "minute": ngettext_lazy("%(num)d minute ago", "%(num)d minutes ago", "num"),
}
AHEAD: dict[str, Any] = {
    "year": ngettext_lazy("in %(num)d year", "in %(num)d years", "num"),
    "month": ngettext_lazy("in %(num)d month", "in %(num)d months", "num"),
    "week": ngettext_lazy("in %(num)d week", "in %(num)d weeks", "num"),
    "day": ngettext_lazy("in %(num)d day", "in %(num)d days", "num"),
    "hour": ngettext_lazy("in %(num)d hour", "in %(num)d hours", "num"),
    "minute": ngettext_lazy("in %(num)d minute", "in %(num)d minutes", "num"),
}


def short_datetime(value: datetime) -> str:
    """Return a time in the current time zone, as short as a list needs it."""
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {time_format(local, 'TIME_FORMAT')}"


def timesince_tag(value: datetime | None) -> SafeString | str:
    """Return how long ago a time was, with the time itself for those who point at it; a dash for none."""
    if value is None:
        return EMPTY
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    now = timezone.now()
    if value > now:
        words = timeuntil(value, now, time_strings=AHEAD, depth=1)
    elif now - value < timedelta(minutes=1):
        words = gettext("just now")
    else:
        words = timesince(value, now, time_strings=PAST, depth=1)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), date_format(local, "DATETIME_FORMAT"), words
    )


def duration(seconds: float | None) -> str:
    """Return seconds in the two greatest units that they have; a dash for none."""
    if seconds is None:
        return EMPTY
    if seconds < 1:
        return gettext("under 1 s")
    if seconds < 10:
        return gettext("%(seconds)s s") % {"seconds": number_format(round(seconds, 1), 1 if seconds % 1 else 0)}
    whole = round(seconds)
    if whole < 60:
        return gettext("%(seconds)s s") % {"seconds": whole}
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    hours, rest = divmod(minutes, 60)
    return gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}


def amount(value: Decimal | None) -> str:
    """Return an amount of money without the zeros that only fill its column, or a dash where there is none."""
    if value is None:
        return EMPTY
    # Two decimals at least, as money is written; a price per message has more.
    _, _, decimals = f"{value:f}".partition(".")
    return number_format(value, max(2, len(decimals.rstrip("0"))))
