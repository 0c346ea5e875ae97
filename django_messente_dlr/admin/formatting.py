"""Times, durations and amounts of money, formatted in the active language and time zone."""

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

from django_messente_dlr.utils.times import to_utc

EMPTY = "–"
# The texts include the unit, because some languages inflect it: "3 Tage", but "vor 3 Tagen". naturaltime() of
# django.contrib.humanize does not replace them: it is translated only if INSTALLED_APPS includes humanize, and its
# German and Latvian texts do not inflect days and longer units.
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
    """Return a date and time in the current time zone, in the short format for lists."""
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {time_format(local, 'TIME_FORMAT')}"


def timesince_tag(value: datetime | None) -> SafeString | str:
    """Return a ``<time>`` element that shows how long ago a time was, or a dash for None.

    The exact time is its title.
    """
    if value is None:
        return EMPTY
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    moment, now = to_utc(value), to_utc(timezone.now())
    if moment > now:
        words = timeuntil(moment, now, time_strings=AHEAD, depth=1)
    elif now - moment < timedelta(minutes=1):
        words = gettext("just now")
    else:
        words = timesince(moment, now, time_strings=PAST, depth=1)
    # Django's words have spaces at which a narrow column cannot break.
    words = words.replace("\xa0", " ")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), date_format(local, "DATETIME_FORMAT"), words
    )


def duration(seconds: float | None) -> str:
    """Return a duration in seconds in its two largest units, or a dash for None."""
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
    """Return an amount of money without trailing zeros, or a dash for None."""
    if value is None:
        return EMPTY
    # At least two decimals, as usual for money. The price of a message can have more.
    _, _, decimals = f"{value:f}".partition(".")
    return number_format(value, max(2, len(decimals.rstrip("0"))))
