"""Filters of the list of messages. An invalid value gets the answer 400 with the reason."""

from __future__ import annotations

import re
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.forms import ValidationError
from django_filters.fields import IsoDateTimeField

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.querysets import SmsMessageQuerySet
from django_messente_dlr.models.recipients import recipient_spellings
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.times import to_db_datetime

PRIMARY_KEY = re.compile(r"[0-9]{1,18}", re.ASCII)
BOOLEANS = {"true": True, "false": False}


def parse_cause(value: str) -> int:
    """Return the error code of a cause.

    Args:
        value: the error code, or the cause's name.

    Raises:
        ValidationError: the value is neither.
    """
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    try:
        return ErrorCode[value.upper()].value
    except KeyError:
        names = ", ".join(code.name.lower() for code in ErrorCode)
        # The value is a parameter because django-filter formats each message, and a value may contain %.
        message = '"%(value)s" is not a cause. Use an error code (err) of Messente, or one of: %(names)s.'
        raise ValidationError(message, params={"value": one_line(value), "names": names}) from None


class DatabaseDateTimeField(IsoDateTimeField):  # type: ignore[misc]  # django-filter has no types
    """A time that each database can store: in UTC, or naive if USE_TZ is off, and in the years 1 to 9999."""

    def clean(self, value: Any) -> Any:
        try:
            time = super().clean(value)
            return to_db_datetime(time) if time else time
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class StrictBooleanField(forms.NullBooleanField):
    """True or false. Unlike in the base class, any other value is invalid and does not disable the filter."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> Any:
        """Return True, False, or None for an empty value."""
        word = str(value or "").strip().lower()
        if word and word not in BOOLEANS:
            raise ValidationError('"%(value)s" is neither "true" nor "false".', params={"value": one_line(value)})
        return BOOLEANS.get(word)


class StrictBooleanFilter(django_filters.BooleanFilter):  # type: ignore[misc]  # django-filter has no types
    """A filter by true or false."""

    field_class = StrictBooleanField

    def __init__(self, **arguments: Any) -> None:
        super().__init__(widget=StrictBooleanField.widget, **arguments)


class DateTimeFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]  # django-filter has no types
    """A filter by a time."""

    field_class = DatabaseDateTimeField


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """The filters of the list of messages."""

    status = django_filters.MultipleChoiceFilter(
        choices=Status.choices, method="filter_by_status", help_text="One or more statuses."
    )
    cause = django_filters.CharFilter(
        method="filter_by_cause", help_text="An error code (err) of Messente, or a name such as sender_not_allowed."
    )
    account = django_filters.CharFilter(help_text="The account's name in MESSENTE_DLR.")
    channel = django_filters.CharFilter(help_text="sms, viber, whatsapp, rcs …")
    recipient = django_filters.CharFilter(
        method="filter_by_recipient", help_text="The full number, with +, with 00 or without either."
    )
    sms_unique_id = django_filters.CharFilter(help_text="Messente's ID of the message.")
    omnimessage_id = django_filters.CharFilter(help_text="Messente's ID of the omnimessage.")
    reference = django_filters.CharFilter(method="filter_by_reference", help_text="The project's own key.")
    resend_of = django_filters.CharFilter(method="filter_by_resend_of", help_text="The id of the first message.")
    created_after = DateTimeFilter("created_at", "gte", help_text="ISO 8601, inclusive.")
    created_before = DateTimeFilter("created_at", "lt", help_text="ISO 8601, exclusive.")
    pending = StrictBooleanFilter(method="filter_by_pending", help_text="Whether a final report is still expected.")

    class Meta:
        model = SmsMessage
        fields: tuple[str, ...] = ()

    def filter_by_status(self, messages: SmsMessageQuerySet, name: str, value: list[str]) -> QuerySet[SmsMessage]:
        """Return the messages that have one of the statuses."""
        return messages.with_status(*value)

    def filter_by_cause(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Return the messages that failed for a cause."""
        try:
            return messages.caused_by(parse_cause(value))
        except ValidationError as exc:
            self.form.add_error(name, exc)
            raise django_filters.utils.translate_validation(self.form.errors) from None

    def filter_by_recipient(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Return the messages to a number. The spelling of the value and of the stored number may differ."""
        if numbers := recipient_spellings(value):
            return messages.filter(recipient__in=numbers)
        message = '"%(value)s" is not a phone number such as +37255500000.'
        self.form.add_error(name, ValidationError(message, params={"value": one_line(value)}))
        raise django_filters.utils.translate_validation(self.form.errors)

    def filter_by_reference(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Return the messages with the project's key."""
        return messages.for_reference(value)

    def filter_by_resend_of(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Return the messages that repeat a message."""
        if PRIMARY_KEY.fullmatch(value):
            return messages.filter(resend_of=int(value))
        message = '"%(value)s" is not the id of a message in this API.'
        self.form.add_error(name, ValidationError(message, params={"value": one_line(value)}))
        raise django_filters.utils.translate_validation(self.form.errors)

    def filter_by_pending(self, messages: SmsMessageQuerySet, name: str, value: Any) -> QuerySet[SmsMessage]:
        """Return the messages that are pending, or those that are not."""
        pending = SmsMessage.objects.pending()
        return (
            messages.filter(pk__in=pending.values("pk")) if value else messages.exclude(pk__in=pending.values("pk"))
        )
