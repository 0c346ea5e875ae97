"""Numbers of messages by status, hour and day."""

from __future__ import annotations

from django.db import models
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _


class MessageStatistics(models.Model):
    """The numbers of messages that were created in one hour or day, by status, account, prefix, cause and time.

    Only `maintenance.statistics` writes rows, so that the overview does not read all messages.

    Attributes:
        starts_at: the start of the hour or day in ``TIME_ZONE``.
        data: the numbers, as `StatusCounts.as_data` returns them; ``took``, the seconds that the count took; and
            ``open``, the number of pending messages.
    """

    class Span(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")

    span = models.CharField(_("span"), max_length=4, choices=Span.choices)
    starts_at = models.DateTimeField(_("starts at"))
    counted_at = models.DateTimeField(_("updated at"))
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        # The admin shows all rows on one page, and this is its name in the menu.
        verbose_name = _("overview")
        # The admin's menu is sorted by this name. The space, which browsers do not show, puts it first.
        verbose_name_plural = format_lazy(" {name}", name=_("Overview"))
        constraints = [models.UniqueConstraint(fields=["span", "starts_at"], name="messente_dlr_statistics")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H:%M}"
