"""The base class of the admin pages: no changes by forms, and no query that reads a whole table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_permission_codename
from django.core.exceptions import BadRequest
from django.db import connections, models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from django_messente_dlr.admin.formatting import EMPTY

PRIMARY_KEY = re.compile(r"[0-9]{1,18}", re.ASCII)
Row = TypeVar("Row", bound=models.Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _ModelAdmin
else:
    # Only the type stubs make the class generic.
    class _ModelAdmin(admin.ModelAdmin, Generic[Row]):
        pass


def can_view(user: Any, model: type[models.Model]) -> bool:
    """Return whether a user may see the pages of a model: Django requires the permission to view it or to change it.

    Args:
        user: the user of the request.
        model: a model of this app.
    """
    name = model.__name__.lower()
    return any(user.has_perm(f"django_messente_dlr.{verb}_{name}") for verb in ("view", "change"))


class ReadOnlyAdmin(_ModelAdmin[Row]):
    """List and show the rows of a model, and change them only through actions.

    No user adds, changes or deletes a row by a form, not even a superuser. Viewing requires Django's permission to
    view or to change the model.
    """

    empty_value_display = EMPTY
    ordering = ("-pk",)
    # For tables of millions of rows: no count of the unfiltered table, no count for each choice of each filter, and
    # no links that sort by a column without an index.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    class Media:
        css = {"all": ["django_messente_dlr/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Django's title would be "Select SMS message to view".
        title = str(capfirst(self.opts.verbose_name_plural))
        # Django refuses the others after this method. Their requests need no counts.
        context = self.list_context(request) if self.has_view_or_change_permission(request) else {}
        return super().changelist_view(request, {"title": title, **context, **(extra_context or {})})

    # Actions call receivers, which must not run inside a transaction. ATOMIC_REQUESTS would open one.
    for _alias in connections:
        changelist_view = transaction.non_atomic_requests(using=_alias)(changelist_view)
    del _alias

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], *args: Any, **options: Any
    ) -> HttpResponse | None:
        if not all(PRIMARY_KEY.fullmatch(value) for value in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            # Django would pass the value to the database, and answer 500 to its error.
            raise BadRequest("A selected row has no valid primary key.")
        if request.POST.get("select_across", "0") == "0":
            # Django applies the filters of the list to the selected rows. A message that became final after the list
            # was shown no longer matches "pending", and its result would be missing.
            queryset = self.get_queryset(request)
        return super().response_action(request, queryset, *args, **options)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        row = context.get("original")
        # Most rows have no history: the link would lead to an empty page.
        context["has_history"] = row is not None and _has_history(row)
        return super().render_change_form(request, context, *args, **options)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether the query string of the list may have this parameter: only those of its own filters.

        Django allows each lookup on each field of the model, such as ``recipient__startswith``. A user could read a
        masked column with it, character by character. Django answers 400 to any other parameter. A subclass that adds
        the filter of a field, which is not a ``SimpleListFilter``, must allow its parameters here.
        """
        list_filter = self.list_filter if request is None else self.get_list_filter(request)
        return lookup in {getattr(item, "parameter_name", None) for item in list_filter}

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return additional values for the template of the list."""
        return {}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A form reads a row, waits for the user, and then saves all columns. It would undo a report that arrives in
        # between. Actions require the permission "act" instead.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has Django's permission to change the model, which its actions require."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))


def _has_history(row: models.Model) -> bool:
    # A project without the admin imports this module, too, and has no such model.
    from django.contrib.admin.models import LogEntry  # noqa: PLC0415
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415

    content_type = ContentType.objects.get_for_model(row)
    return LogEntry.objects.filter(content_type=content_type, object_id=str(row.pk)).exists()
