"""How many messages came to what, by the hour and by the day."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class MessageStatistics(models.Model):
    """How many messages of one hour or day came to what; `tallies` counts, so that nobody reads them all to know."""

    class Span(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")

    span = models.CharField(_("span"), max_length=4, choices=Span.choices)
    starts_at = models.DateTimeField(_("starts at"))
    counted_at = models.DateTimeField(_("updated at"))
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        # The admin shows all of them on one page, which is what people look for under this name.
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        constraints = [models.UniqueConstraint(fields=["span", "starts_at"], name="messente_dlr_statistics")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H:%M}"
