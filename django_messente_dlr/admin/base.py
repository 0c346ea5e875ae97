"""What the three pages have in common: they show and do not change, and they bear tables of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db import connections, models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from django_messente_dlr.admin.formatting import EMPTY

Row = TypeVar("Row", bound=models.Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _ModelAdmin
else:
    # Django's is generic for type checkers alone.
    class _ModelAdmin(admin.ModelAdmin, Generic[Row]):
        pass


def may_look_at(user: Any, model: type[models.Model]) -> bool:
    """Tell whether a user may look at a model's pages: those who may view it or change it, as Django has it.

    Args:
        user: the user.
        model: one of this app's.
    """
    name = model.__name__.lower()
    return any(user.has_perm(f"django_messente_dlr.{verb}_{name}") for verb in ("view", "change"))


class ReadOnly:
    """No row is added, changed or deleted by hand, not by a superuser either.

    Who may look is Django's own question: those with the permission to view or to change.
    """

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A form that saves would read, wait for a person and then write the whole row: a report that came in the
        # meantime would be undone. Actions ask for the permission «act».
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, _ModelAdmin[Row]):
    """Lists and shows the rows of one model, and acts on them through its actions alone."""

    empty_value_display = EMPTY
    ordering = ("-pk",)
    # What is listed by the million is neither counted without a filter or a search (twice, once for the whole) nor
    # sorted by a column that has no index, nor counted for every choice of every filter.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    class Media:
        css = {"all": ["django_messente_dlr/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # «Select SMS message to view» is nothing that anybody came for.
        title = str(capfirst(self.opts.verbose_name_plural))
        return super().changelist_view(
            request, {"title": title, **self.list_context(request), **(extra_context or {})}
        )

    # Actions call receivers, which must never run inside a transaction of ours: ATOMIC_REQUESTS would be one.
    for _alias in connections:
        changelist_view = transaction.non_atomic_requests(using=_alias)(changelist_view)
    del _alias

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], *args: Any, **options: Any
    ) -> HttpResponse | None:
        if request.POST.get("select_across", "0") == "0":
            # Django looks for the rows that were ticked within the list's filters, and what has ended since it was
            # listed is in «pending» no more: whoever ticked it shall hear of that, and not miss a line.
            queryset = self.get_queryset(request)
        return super().response_action(request, queryset, *args, **options)

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the list's template shows beside the list."""
        return {}

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may use this model's actions: those who have Django's permission to change it."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))
