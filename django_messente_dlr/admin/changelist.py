"""Lists that cost the same at the end of ten million rows as at the beginning.

A page is what comes after a row (or before it), not what comes after so many rows; and nobody counts further than a
person would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from django_messente_dlr.models.querysets import capped_count

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

OLDER = "older_than"
NEWER = "newer_than"
CAP = 1000


class KeysetChangeList(ChangeList):
    """Django's list with pages that begin at a row. The order is that of the primary key, or of a time and that."""

    model_admin: ReadOnlyAdmin[Any]
    older_url: str | None = None
    newer_url: str | None = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        # Links that filter or search begin at the first page again, and no column is to be sorted by.
        for name in (OLDER, NEWER, ORDER_VAR):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows.defer(*self.model_admin.not_listed)

    def get_results(self, request: HttpRequest) -> None:
        self.show_full_result_count = False
        self.full_result_count = None
        self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_count = capped_count(self.queryset, cap=CAP)
        older, newer = request.GET.get(OLDER), request.GET.get(NEWER)
        rows = self.queryset
        if newer:
            rows = rows.filter(self._beyond(newer, "gt")).reverse()
        elif older:
            rows = rows.filter(self._beyond(older, "lt"))
        page = list(rows[: self.list_per_page + 1])
        more, page = len(page) > self.list_per_page, page[: self.list_per_page]
        if newer:
            page.reverse()
        if page and (more or newer):
            self.older_url = self.get_query_string({OLDER: page[-1].pk})
        if page and (older or (newer and more)):
            self.newer_url = self.get_query_string({NEWER: page[0].pk})
        self.result_list = self.model_admin.prepared(request, page)

    def _beyond(self, cursor: str, lookup: str) -> Q:
        """Return the condition for rows that come before (gt) or after (lt) the one with this primary key."""
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
            raise IncorrectLookupParameters
        column = self.queryset.query.order_by[0].lstrip("-")
        if column == "pk":
            return Q(**{f"pk__{lookup}": cursor})
        value = self.root_queryset.filter(pk=cursor).values_list(column, flat=True).first()
        if value is None:
            raise IncorrectLookupParameters  # that row was pruned meanwhile: back to the first page
        # The first condition is what an index on the column can use; the second cuts off the row's equals.
        same = Q(**{column: value, f"pk__{lookup}": cursor})
        return Q(**{f"{column}__{lookup}e": value}) & (Q(**{f"{column}__{lookup}": value}) | same)
