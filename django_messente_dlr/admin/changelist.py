"""Lists of messages and reports: keyset pages and a capped count, for tables of millions of rows.

A page starts after a row, or ends before one. A page at the end of the table therefore costs as much as the first
page, where an OFFSET reads all rows before it. The count stops at a cap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from django_messente_dlr.admin.base import ReadOnlyAdmin, Row
from django_messente_dlr.admin.formatting import EMPTY
from django_messente_dlr.models.querysets import capped_count

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    # Only the type stubs make the class generic.
    _Paginator = Paginator

OLDER = "older"
NEWER = "newer"
CURSOR = re.compile(rf"({OLDER}|{NEWER})-([0-9]{{1,18}})")
CAP = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """The start of a page, or its end.

    Attributes:
        direction: OLDER for the rows that follow a row in the list, NEWER for those that precede it.
        condition: the condition for the rows on that side of the row.
    """

    direction: str
    condition: Q


class KeysetPaginator(_Paginator):
    """Return the rows on one side of a cursor, and count rows up to a cap.

    Without a cursor the pages are numbered as Django's are, up to the cap.

    Attributes:
        has_newer: whether rows precede the page that ``page()`` returned.
        has_older: whether rows follow it.
    """

    object_list: QuerySet[Any]
    has_newer = False
    has_older = False

    def __init__(self, *args: Any, cursor: Cursor | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor = cursor

    @cached_property
    def count(self) -> int:
        """The number of rows, at most CAP."""
        return capped_count(self.object_list, cap=CAP)

    def page(self, number: int | str) -> Any:
        """Return the page at the cursor, or the numbered page where there is no cursor."""
        if self.cursor is None:
            page = super().page(number)
            self.has_newer, self.has_older = page.has_previous(), page.has_next()
            return page
        is_newer = self.cursor.direction == NEWER
        queryset = self.object_list.filter(self.cursor.condition)
        # One row more than the page holds shows whether another page follows.
        rows = list((queryset.reverse() if is_newer else queryset)[: self.per_page + 1])
        has_more, rows = len(rows) > self.per_page, rows[: self.per_page]
        if is_newer:
            rows.reverse()
        self.has_newer, self.has_older = has_more or not is_newer, has_more or is_newer
        return Page(rows, 1, self)


class KeysetChangeList(ChangeList):
    """Add the links to the next and previous keyset page, and prepare the rows for display.

    Django documents that a ChangeList can be subclassed, but not its methods. Both methods below call Django's method
    and change only its result. Checked with Django 5.2, 6.0 and 6.1. The tests in test_pages.py follow the links.
    """

    model_admin: LongListAdmin[Any]
    paginator: KeysetPaginator
    older_url: str | None = None
    newer_url: str | None = None

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        return rows.defer(*self.model_admin.deferred_fields)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        if rows and self.paginator.has_older:
            self.older_url = self.get_query_string({PAGE_VAR: f"{OLDER}-{rows[-1].pk}"})
        if rows and self.paginator.has_newer:
            self.newer_url = self.get_query_string({PAGE_VAR: f"{NEWER}-{rows[0].pk}"})
        self.result_list = self.model_admin.prepare_rows(request, rows)


class LongListAdmin(ReadOnlyAdmin[Row]):
    """List a table of any length. ``get_ordering()`` returns "-pk", or a field with an index and "-pk".

    Columns are methods and not model fields: Django sorts by a model field when the URL says so, even when
    ``sortable_by`` is empty, and these fields have no index.
    """

    list_max_show_all = 0
    # The list does not fetch these columns.
    deferred_fields: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> KeysetPaginator:
        return KeysetPaginator(queryset, *args, cursor=self._read_cursor(request), **kwargs)

    def prepare_rows(self, request: HttpRequest, rows: list[Row]) -> list[Row]:
        """Return the rows of a page with the related values that the columns show, fetched for all rows at once."""
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields of a row, without those that are empty and without sections that have no other."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        filled = [
            (title, {**options, "fields": [field for field in options["fields"] if self._is_filled(field, obj)]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        return [(title, options) for title, options in filled if options["fields"]]

    def _is_filled(self, field: Any, row: Any) -> bool:
        # A field is a function, or the name of a method or of a model field.
        function = field if callable(field) else getattr(self, field, None)
        value = function(row) if function else getattr(row, field)
        return value is not None and str(value) not in {"", EMPTY}

    def _read_cursor(self, request: HttpRequest) -> Cursor | None:
        """Return the cursor of a URL, or None for the first page.

        The cursor is in Django's parameter for the page number: links to filters and searches leave that out.

        Raises:
            IncorrectLookupParameters: the parameter is malformed, or its row was pruned. Django redirects to a list
                without parameters.
        """
        value = request.GET.get(PAGE_VAR, "")
        if not value or (value.isascii() and value.isdigit()):
            return None
        match = CURSOR.fullmatch(value)
        if match is None:
            raise IncorrectLookupParameters
        direction, pk = match.groups()
        lookup = "gt" if direction == NEWER else "lt"
        field = str(self.get_ordering(request)[0]).lstrip("-")
        if field == "pk":
            return Cursor(direction, Q(**{f"pk__{lookup}": pk}))
        bound = self.get_queryset(request).filter(pk=pk).values_list(field, flat=True).first()
        if bound is None:
            raise IncorrectLookupParameters
        # An index on the field serves the first condition. The second excludes the rows of the same time on the
        # other side of the cursor.
        is_beyond = Q(**{f"{field}__{lookup}": bound}) | Q(**{field: bound, f"pk__{lookup}": pk})
        return Cursor(direction, Q(**{f"{field}__{lookup}e": bound}) & is_beyond)
