"""Messages with their reports, newest first. The views are read-only with any ``REST_FRAMEWORK`` settings."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import mixins, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings

from django_messente_dlr.api.filters import PRIMARY_KEY, MessageFilter
from django_messente_dlr.api.permissions import ViewPermission
from django_messente_dlr.api.serializers import SmsMessageDetailSerializer, SmsMessageSerializer
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.models import DeliveryReport, SmsMessage


class NewestFirstPagination(CursorPagination):
    """Paginate by cursor: a late page is as fast as the first, and no rows are counted."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the position of a page.

        Raises:
            NotFound: the cursor is unreadable, or its position is not a primary key.
        """
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not PRIMARY_KEY.fullmatch(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class MessageViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[SmsMessage]):
    """Messages that were sent through Messente, with their delivery reports."""

    permission_classes = (IsAuthenticated, ViewPermission)
    pagination_class = NewestFirstPagination
    # The API has one version. With the project's NamespaceVersioning, this app's namespace would answer 404.
    versioning_class = None
    filter_backends = (DjangoFilterBackend,)
    filterset_class = MessageFilter
    lookup_value_regex = PRIMARY_KEY.pattern
    # The text and the options are not published, so they are not fetched. Reports are in the order of their receipt.
    queryset = (
        SmsMessage.objects.select_related("pending")
        .defer("text", "options")
        .prefetch_related(Prefetch("reports", DeliveryReport.objects.order_by("pk")))
    )

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that match the filters of the query string.

        Raises:
            ValidationError: the query string has an unknown parameter. To ignore a misspelt filter would return all
                messages.
        """
        pages = NewestFirstPagination
        others = (pages.cursor_query_param, pages.page_size_query_param, api_settings.URL_FORMAT_OVERRIDE)
        known = [*MessageFilter.base_filters, *filter(None, others)]
        if unknown := self.request.query_params.keys() - known:
            text = f"This parameter is unknown. Use one of: {', '.join(known)}."
            raise ValidationError({one_line(name): [text] for name in sorted(unknown)})
        return super().filter_queryset(queryset)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return SmsMessageDetailSerializer if self.action == "retrieve" else SmsMessageSerializer
