"""What is told of a message and of its reports. Fields are named one by one, so that no new column slips out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import DeliveryReport, SmsMessage


class CauseSerializer(serializers.Serializer[ErrorCode]):
    """The cause of a failure, in words."""

    code = serializers.IntegerField(source="value", help_text="Messente's number for it: err.")
    name = serializers.SerializerMethodField(help_text="Its name, as the filter «cause» takes it.")
    meaning = serializers.CharField()
    advice = serializers.CharField()

    def get_name(self, cause: ErrorCode) -> str:
        return cause.name.lower()


class ReportSerializer(serializers.ModelSerializer[DeliveryReport]):
    """One report, without what came over the wire."""

    class Meta:
        model = DeliveryReport
        fields: tuple[str, ...] = (
            "id",
            "source",
            "stat",
            "status",
            "err",
            "occurred_at",
            "received_at",
            "receipts",
            "outcome",
            "dispatched_at",
        )
        read_only_fields = fields


class ReportDetailSerializer(ReportSerializer):
    """One report with its payload."""

    class Meta(ReportSerializer.Meta):
        fields = (*ReportSerializer.Meta.fields, "payload")
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message and its reports."""

    cause = CauseSerializer(read_only=True, allow_null=True)
    reports = ReportSerializer(many=True, read_only=True)

    class Meta:
        model = SmsMessage
        # No text: a one-time password is not for every program that asks what was delivered. And no callback URL,
        # which is a secret.
        fields: tuple[str, ...] = (
            "id",
            "sms_unique_id",
            "omnimessage_id",
            "account",
            "recipient",
            "sender",
            "channel",
            "status",
            "stat",
            "err",
            "cause",
            "error_text",
            "parts",
            "price",
            "metadata",
            "created_at",
            "sent_at",
            "finalised_at",
            "next_poll_at",
            "poll_count",
            "reports",
        )
        read_only_fields = fields


class MessageDetailSerializer(MessageSerializer):
    """A message and its reports, each with its payload."""

    reports: Any = ReportDetailSerializer(many=True, read_only=True)
