"""The filters of the lists. No filter queries the tables of messages and reports for its choices."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import conf
from django_messente_dlr.admin.rendering import DispatchState
from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode
from django_messente_dlr.models import Account, ReportOutcome
from django_messente_dlr.models.querysets import DeliveryReportQuerySet, SmsMessageQuerySet, filter_partial_index
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.times import shift

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Choices = list[tuple[str, str | StrPromise]]

CAUSES = [cause for cause in ErrorCode if cause.delivery_class in {DeliveryClass.FAILED, DeliveryClass.REJECTED}]
UNKNOWN = "unknown"
AGE = "age"
AGES = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


class StatusFilter(admin.SimpleListFilter):
    """Filter messages by status. Two more choices are all pending and all overdue messages."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        waiting: Choices = [("pending", _("Pending (queued or sent)")), ("overdue", _("Overdue"))]
        return [*waiting, *Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _selected_value(self)
        if value is None:
            return queryset
        assert isinstance(queryset, SmsMessageQuerySet)
        if value == "pending":
            return queryset.pending()
        if value == "overdue":
            return queryset.overdue(timezone.now())
        return queryset.with_status(value)


class AgeFilter(admin.SimpleListFilter):
    """Filter messages by maximum age. The list is then ordered by age, for which an index exists."""

    title = _("age")
    parameter_name = AGE

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("hour", _("Last hour")),
            ("day", _("Last 24 hours")),
            ("week", _("Last 7 days")),
            ("month", _("Last 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _selected_value(self)
        return queryset if value is None else queryset.filter(created_at__gte=shift(timezone.now(), -AGES[value]))


class CauseFilter(admin.SimpleListFilter):
    """Filter failed and rejected messages by cause."""

    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [*((str(cause.value), cause.meaning) for cause in CAUSES), (UNKNOWN, _("Unknown cause"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _selected_value(self)
        if value is None:
            return queryset
        assert isinstance(queryset, SmsMessageQuerySet)
        failed = queryset.failed()
        if value == UNKNOWN:
            return failed.filter(Q(err__isnull=True) | ~Q(err__in=CAUSES))
        return failed.caused_by(int(value))


class AccountFilter(admin.SimpleListFilter):
    """Filter messages by account. The filter is hidden where only one account exists."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        names = {*conf.accounts(), *Account.objects.values_list("name", flat=True)}
        return [(name, name) for name in sorted(names)]

    def has_output(self) -> bool:
        # An active filter stays visible, or the list would seem complete.
        return len(self.lookup_choices) > 1 or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Any name is valid: an account that was removed from the settings still has messages.
        return queryset if (value := _text_value(self)) is None else filter_partial_index(queryset, "account", value)


class ChannelFilter(admin.SimpleListFilter):
    """Filter messages by channel.

    Source: the channels of Messente's official client (messente-api 2.7.0). That version removed Telegram.
    """

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("sms", "SMS"),
            ("viber", "Viber"),
            ("whatsapp", "WhatsApp"),
            ("rcs", "RCS"),
            # Messente accepts no new Telegram messages. Stored ones stay selectable.
            ("telegram", "Telegram"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if (value := _text_value(self)) is None else filter_partial_index(queryset, "channel", value)


class OutcomeFilter(admin.SimpleListFilter):
    """Filter reports by outcome."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(ReportOutcome.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _selected_value(self)
        if value is None:
            return queryset
        assert isinstance(queryset, DeliveryReportQuerySet)
        return filter_partial_index(queryset, "outcome", value)


class DispatchFilter(admin.SimpleListFilter):
    """Filter reports by dispatch state, as `DispatchState.from_report` defines it."""

    title = _("signals")
    parameter_name = "signals"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(DispatchState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _selected_value(self)
        if value is None:
            return queryset
        assert isinstance(queryset, DeliveryReportQuerySet)
        if value == DispatchState.WAITING:
            return queryset.undispatched()
        done = queryset.filter(dispatch_due_at__isnull=True)
        if value == DispatchState.FAILED:
            return done.filter(dispatch_failed_at__isnull=False)
        return done.filter(dispatch_failed_at__isnull=True)


def _selected_value(list_filter: admin.SimpleListFilter) -> str | None:
    """Return the selected value, or None without one.

    Raises:
        IncorrectLookupParameters: the URL has a value that the filter does not offer.
    """
    value = list_filter.value()
    if value is not None and value not in {str(key) for key, _label in list_filter.lookup_choices}:
        raise IncorrectLookupParameters
    return value


def _text_value(list_filter: admin.SimpleListFilter) -> str | None:
    """Return the text to filter by, or None. A NUL character, which PostgreSQL refuses, is an incorrect parameter."""
    value = list_filter.value()
    if value is not None and "\x00" in value:
        raise IncorrectLookupParameters
    return value
