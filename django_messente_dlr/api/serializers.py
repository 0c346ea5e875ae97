"""The representation of a message and its reports.

Each field is listed, so that a new column is not published by accident.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.utils import masking


class SmsCauseSerializer(serializers.Serializer[ErrorCode]):
    """The cause of a failure, with its meaning."""

    code = serializers.IntegerField(source="value", help_text="Messente's error code (err).")
    name = serializers.SerializerMethodField(help_text="The name, a value of the filter 'cause'.")
    meaning = serializers.CharField()
    advice = serializers.CharField()

    def get_name(self, cause: ErrorCode) -> str:
        return cause.name.lower()


class DeliveryReportSerializer(serializers.ModelSerializer[DeliveryReport]):
    """One report, without its payload."""

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
    """One report with its payload. Recipients are masked for users without the permission view_recipient."""

    class Meta(DeliveryReportSerializer.Meta):
        fields = (*DeliveryReportSerializer.Meta.fields, "payload")
        read_only_fields = fields

    def to_representation(self, instance: DeliveryReport) -> dict[str, Any]:
        data = super().to_representation(instance)
        if not _may_see_recipients(self):
            number = instance.message.recipient if instance.message else ""
            ids = {instance.sms_unique_id, instance.omnimessage_id}
            data["payload"] = masking.mask_in_json(data["payload"], number, ids=ids)
        return data


class SmsMessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message and its reports."""

    cause = SmsCauseSerializer(read_only=True, allow_null=True)
    recipient = serializers.CharField(
        read_only=True, help_text="Masked (+372•••••000) for users without the permission view_recipient."
    )
    error_text = serializers.CharField(
        source="error_description", read_only=True, help_text="The error in the language of the request."
    )
    channels = serializers.JSONField(
        read_only=True, help_text="In the order of sending; their content only with the permission view_text."
    )
    reports = DeliveryReportSerializer(many=True, read_only=True)

    class Meta:
        model = SmsMessage
        # Not the text, which may be a one-time password, and not the callback URL, which is a secret.
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
            "reference",
            "channels",
            "resend_of",
            "created_at",
            "sent_at",
            "finalised_at",
            "next_poll_at",
            "poll_count",
            "reports",
        )
        read_only_fields = fields

    def to_representation(self, instance: SmsMessage) -> dict[str, Any]:
        data = super().to_representation(instance)
        can_see_recipient = _may_see_recipients(self)
        data["channels"] = masking.mask_channels(
            instance.channels,
            instance.recipient,
            can_see_recipient=can_see_recipient,
            can_see_text=_may_see_texts(self),
        )
        if not can_see_recipient:
            number = instance.recipient
            data["recipient"] = masking.mask_number(number)
            data["error_text"] = masking.mask_in_text(data["error_text"], number)
            data["reference"] = masking.mask_in_text(data["reference"], number)
            data["metadata"] = masking.mask_in_json(data["metadata"], number)
        return data


class SmsMessageDetailSerializer(SmsMessageSerializer):
    """A message and its reports, each with its payload."""

    reports: Any = DeliveryReportDetailSerializer(many=True, read_only=True)


def _may_see_recipients(serializer: serializers.BaseSerializer[Any]) -> bool:
    request = serializer.context.get("request")
    return request is not None and masking.may_see_recipients(request.user)


def _may_see_texts(serializer: serializers.BaseSerializer[Any]) -> bool:
    request = serializer.context.get("request")
    return request is not None and masking.may_see_texts(request.user)
