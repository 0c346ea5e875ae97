"""The model of the statistics: the number of messages in each status, by hour and by day."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class MessageStatistics(models.Model):
    """The number of messages of one hour or day in each status.

    `maintenance.statistics` counts them, so that the admin's overview does not read all messages.
    """

    class Span(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")

    span = models.CharField(_("span"), max_length=4, choices=Span.choices)
    starts_at = models.DateTimeField(_("starts at"))
    counted_at = models.DateTimeField(_("counted at"))
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        # The admin shows all rows on one page, the overview, and this is its name in the admin's index.
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        constraints = [models.UniqueConstraint(fields=["span", "starts_at"], name="messente_dlr_statistics")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H:%M}"
