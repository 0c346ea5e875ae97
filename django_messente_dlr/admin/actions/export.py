"""The list as CSV: streamed, so that length costs no memory, and harmless to whoever opens it in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from django_messente_dlr.admin.masked_message import mask_for
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils import masking

COLUMNS = (
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
    "created_at",
    "sent_at",
    "finalised_at",
)
BATCH = 1000
# A spreadsheet takes what begins so for a formula, and a tab or a line's end hides where a cell begins.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def export_messages(request: HttpRequest, queryset: QuerySet[SmsMessage]) -> StreamingHttpResponse:
    """Return the messages as a file of CSV in UTF-8, numbers masked for those who may not see them."""
    response = StreamingHttpResponse(lines(queryset, request.user), content_type="text/csv; charset=utf-8")
    name = f"messente-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def lines(queryset: QuerySet[SmsMessage], user: Any) -> Iterator[str]:
    """Yield the lines: a head, and one for each message, the newest first."""
    writer = csv.writer(_Echo())
    # Spreadsheets take a file without this mark for one in another encoding.
    yield "\ufeff"
    yield writer.writerow(COLUMNS)
    full = masking.may_see_recipients(user)
    last: int | None = None
    rows = queryset.order_by("-pk")
    # Page by page and not by a cursor of the database: those need a transaction, or a connection to themselves.
    while page := list((rows if last is None else rows.filter(pk__lt=last))[:BATCH]):
        last = page[-1].pk
        for message in page:
            shown = mask_for(message, user if full else None)
            yield writer.writerow([safe(_cell(message, shown, name)) for name in COLUMNS])


def safe(value: str) -> str:
    """Return a cell's text so that no spreadsheet takes it for a formula: with an apostrophe before what would be."""
    return f"'{value}" if value.startswith(DANGEROUS) else value


def _cell(message: SmsMessage, shown: Any, name: str) -> str:
    if name in {"recipient", "error_text"}:
        return str(getattr(shown, name))
    if name == "cause":
        return str(message.cause.meaning) if message.cause else ""
    value = getattr(message, name)
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
