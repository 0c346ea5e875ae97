"""The questions that the list of messages takes. A value that makes no sense is a 400 that says so."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.forms import ValidationError
from django.utils.timezone import make_naive
from django_filters.fields import IsoDateTimeField

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.querysets import SmsMessageQuerySet
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.phone_numbers import spellings

FLAGS = {"true": True, "false": False}


def cause_of(value: str) -> int:
    """Return the number of a cause that is given by number or by name.

    Raises:
        ValidationError: it is neither.
    """
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    try:
        return ErrorCode[value.upper()].value
    except KeyError:
        names = ", ".join(code.name.lower() for code in ErrorCode)
        # As a parameter: django-filter formats every sentence, and a value may have a % in it.
        sentence = "«%(value)s» is no cause. Give Messente's err, or one of: %(names)s."
        raise ValidationError(sentence, params={"value": value, "names": names}) from None


class MomentField(IsoDateTimeField):  # type: ignore[misc]  # django-filter has no types
    """A time that any database takes: within the years that there are, in UTC or, where USE_TZ is off, naive."""

    def clean(self, value: Any) -> Any:
        try:
            moment = super().clean(value)
            if not moment or not moment.tzinfo:
                return moment
            return moment.astimezone(UTC) if settings.USE_TZ else make_naive(moment)
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class FlagField(forms.NullBooleanField):
    """True or false. What is neither is not taken for «not asked for»."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> Any:
        """Return what is meant, or None where nothing is."""
        told = str(value or "").strip().lower()
        if told and told not in FLAGS:
            raise ValidationError("«%(value)s» is neither «true» nor «false».", params={"value": value})
        return FLAGS.get(told)


class FlagFilter(django_filters.BooleanFilter):  # type: ignore[misc]  # django-filter has no types
    """A filter by whether something is so."""

    field_class = FlagField

    def __init__(self, **arguments: Any) -> None:
        super().__init__(widget=FlagField.widget, **arguments)


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]  # django-filter has no types
    """A filter by a time."""

    field_class = MomentField


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """Filters of the list of messages."""

    status = django_filters.MultipleChoiceFilter(
        choices=Status.choices, method="by_status", help_text="One or more statuses."
    )
    cause = django_filters.CharFilter(method="by_cause", help_text="Messente's err, or a name: sender_not_allowed.")
    account = django_filters.CharFilter(help_text="The account's name in MESSENTE_DLR.")
    channel = django_filters.CharFilter(help_text="sms, viber, whatsapp, rcs …")
    recipient = django_filters.CharFilter(
        method="by_recipient", help_text="The whole number, in any spelling: with +, with 00 or with neither."
    )
    sms_unique_id = django_filters.CharFilter(help_text="Messente's id of the message.")
    omnimessage_id = django_filters.CharFilter(help_text="Messente's id of the omnimessage.")
    created_after = MomentFilter("created_at", "gte", help_text="ISO 8601, inclusive.")
    created_before = MomentFilter("created_at", "lt", help_text="ISO 8601, exclusive.")
    pending = FlagFilter(method="by_pending", help_text="Whether more is to be heard of it.")

    class Meta:
        model = SmsMessage
        fields: tuple[str, ...] = ()

    def by_status(self, messages: SmsMessageQuerySet, name: str, value: list[str]) -> QuerySet[SmsMessage]:
        """Keep those that have one of the statuses."""
        return messages.with_status(*value)

    def by_cause(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Keep those that failed for one cause."""
        try:
            return messages.caused_by(cause_of(value))
        except ValidationError as exc:
            self.form.add_error(name, exc)
            raise django_filters.utils.translate_validation(self.form.errors) from None

    def by_recipient(self, messages: SmsMessageQuerySet, name: str, value: str) -> QuerySet[SmsMessage]:
        """Keep those that went to a number, however it is written here and there."""
        if numbers := spellings(value):
            return messages.filter(recipient__in=numbers)
        sentence = "«%(value)s» is no phone number, such as +37255500000."
        self.form.add_error(name, ValidationError(sentence, params={"value": value}))
        raise django_filters.utils.translate_validation(self.form.errors)

    def by_pending(self, messages: SmsMessageQuerySet, name: str, value: Any) -> QuerySet[SmsMessage]:
        """Keep those that are pending, or those that are not."""
        pending = SmsMessage.objects.pending()
        return (
            messages.filter(pk__in=pending.values("pk")) if value else messages.exclude(pk__in=pending.values("pk"))
        )
