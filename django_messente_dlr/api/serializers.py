"""What is told of a message and of its reports. Fields are named one by one, so that no new column slips out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.utils import masking


class SmsCauseSerializer(serializers.Serializer[ErrorCode]):
    """The cause of a failure, in words."""

    code = serializers.IntegerField(source="value", help_text="Messente's number for it: err.")
    name = serializers.SerializerMethodField(help_text="Its name, as the filter «cause» takes it.")
    meaning = serializers.CharField()
    advice = serializers.CharField()

    def get_name(self, cause: ErrorCode) -> str:
        return cause.name.lower()


class DeliveryReportSerializer(serializers.ModelSerializer[DeliveryReport]):
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
            "times_received",
            "outcome",
            "dispatched_at",
        )
        read_only_fields = fields


class DeliveryReportDetailSerializer(DeliveryReportSerializer):
    """One report with its payload, in which recipients are masked for those who may not see them."""

    class Meta(DeliveryReportSerializer.Meta):
        fields = (*DeliveryReportSerializer.Meta.fields, "payload")
        read_only_fields = fields

    def to_representation(self, instance: DeliveryReport) -> dict[str, Any]:
        told = super().to_representation(instance)
        if not _may_see_recipients(self):
            number = instance.message.recipient if instance.message else ""
            told["payload"] = masking.mask_in_json(told["payload"], number)
        return told


class SmsMessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message and its reports."""

    cause = SmsCauseSerializer(read_only=True, allow_null=True)
    recipient = serializers.CharField(
        read_only=True, help_text="Masked (+372•••••000) for those without the permission view_recipient."
    )
    reports = DeliveryReportSerializer(many=True, read_only=True)

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

    def to_representation(self, instance: SmsMessage) -> dict[str, Any]:
        told = super().to_representation(instance)
        if not _may_see_recipients(self):
            number = instance.recipient
            told["recipient"] = masking.mask_number(number)
            told["error_text"] = masking.mask_in_text(told["error_text"], number)
            told["metadata"] = masking.mask_in_json(told["metadata"], number)
        return told


class SmsMessageDetailSerializer(SmsMessageSerializer):
    """A message and its reports, each with its payload."""

    reports: Any = DeliveryReportDetailSerializer(many=True, read_only=True)


def _may_see_recipients(serializer: serializers.BaseSerializer[Any]) -> bool:
    request = serializer.context.get("request")
    return request is not None and masking.may_see_recipients(request.user)
