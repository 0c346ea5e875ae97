from __future__ import annotations

from django.db import models

from django_messente_dlr.models import DeliveryReport


class Receipt(models.Model):
    """A receipt for a delivery report."""

    report = models.ForeignKey(DeliveryReport, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"Receipt {self.pk}"
