"""The tables that a project would create for itself: messages and a log of reports.

They have the columns of this package's tables that the handlers need. They have no index that the handlers do not
use, because it would only make them slower.
"""

from __future__ import annotations

from django.db import models


class Sms(models.Model):
    sms_unique_id = models.CharField(max_length=128)
    recipient = models.CharField(max_length=32)
    sender = models.CharField(max_length=32)
    text = models.TextField(default="")
    status = models.CharField(max_length=12, default="sent")
    rank = models.PositiveSmallIntegerField(default=10)
    stat = models.CharField(max_length=32, default="")
    err = models.IntegerField(null=True)
    created_at = models.DateTimeField()
    finalised_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sms_unique_id"], name="byhand_sms_unique_id")]

    def __str__(self) -> str:
        return self.sms_unique_id


class Log(models.Model):
    sms_unique_id = models.CharField(max_length=128)
    stat = models.CharField(max_length=32)
    err = models.IntegerField(null=True)
    received_at = models.DateTimeField()
    payload = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fingerprint"], name="byhand_log_fingerprint")]

    def __str__(self) -> str:
        return self.fingerprint
