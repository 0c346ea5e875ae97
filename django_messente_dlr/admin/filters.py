"""The filters beside the lists. None of them asks the long tables which values there are."""

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
    """Messages by what became of them; those that are waited for, and waited for too long, in one click."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        waiting: Choices = [("pending", _("Pending (queued or sent)")), ("overdue", _("Overdue"))]
        return [*waiting, *Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _chosen(self)
        if value is None:
            return queryset
        assert isinstance(queryset, SmsMessageQuerySet)
        if value == "pending":
            return queryset.pending()
        if value == "overdue":
            return queryset.overdue(timezone.now())
        return queryset.with_status(value)


class AgeFilter(admin.SimpleListFilter):
    """Messages that are not older than this; the list is then in the order of their age, which has an index."""

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
        value = _chosen(self)
        return queryset if value is None else queryset.filter(created_at__gte=timezone.now() - AGES[value])


class CauseFilter(admin.SimpleListFilter):
    """Messages that failed, by why."""

    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [*((str(cause.value), cause.meaning) for cause in CAUSES), (UNKNOWN, _("Unknown cause"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _chosen(self)
        if value is None:
            return queryset
        assert isinstance(queryset, SmsMessageQuerySet)
        failed = queryset.failed()
        if value == UNKNOWN:
            return failed.filter(Q(err__isnull=True) | ~Q(err__in=CAUSES))
        return failed.caused_by(int(value))


class AccountFilter(admin.SimpleListFilter):
    """Rows of one account. Not offered where there is but one."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        names = {*conf.accounts(), *Account.objects.values_list("name", flat=True)}
        return [(name, name) for name in sorted(names)]

    def has_output(self) -> bool:
        # A choice that was made must be seen, or the list would seem to be whole.
        return len(self.lookup_choices) > 1 or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # An account that was removed from the settings still has its messages: any name will do.
        return queryset if (value := self.value()) is None else filter_partial_index(queryset, "account", value)


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
        return queryset if (value := self.value()) is None else filter_partial_index(queryset, "channel", value)


class OutcomeFilter(admin.SimpleListFilter):
    """Reports by what they did; orphans in one click."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(ReportOutcome.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _chosen(self)
        if value is None:
            return queryset
        assert isinstance(queryset, DeliveryReportQuerySet)
        return filter_partial_index(queryset, "outcome", value)


class DispatchFilter(admin.SimpleListFilter):
    """Reports by how far their signals are; it finds what `DispatchState.of` shows."""

    title = _("signals")
    parameter_name = "signals"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(DispatchState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = _chosen(self)
        if value is None:
            return queryset
        assert isinstance(queryset, DeliveryReportQuerySet)
        if value == DispatchState.WAITING:
            return queryset.undispatched()
        done = queryset.filter(dispatch_due_at__isnull=True)
        if value == DispatchState.FAILED:
            return done.filter(dispatch_failed_at__isnull=False)
        return done.filter(dispatch_failed_at__isnull=True)


def _chosen(chosen: admin.SimpleListFilter) -> str | None:
    """Return the choice that was made, or None; a URL with a choice that is not offered is one that nobody made."""
    value = chosen.value()
    if value is not None and value not in {str(key) for key, _label in chosen.lookup_choices}:
        raise IncorrectLookupParameters
    return value
