"""The admin action "Export as CSV": stream the messages, with cells that a spreadsheet does not run as formulas.

The response is streamed, so its length needs no memory.
"""

from __future__ import annotations

import csv
import re
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
    "reference",
    "resend_of",
    "channels",
)
BATCH = 1000
# A spreadsheet treats a cell that starts with one of these as a formula, after spaces and quotes, too. In many
# languages the separator of cells is a semicolon or a tab and not a comma: then a formula can also follow a separator
# or a line end inside a cell. The last four are the full-width forms, which Excel treats as equal.
SEPARATOR = r"\A|\r\n|[;\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]"
FORMULA_START = r"[=+\-@|%\uff1d\uff0b\uff0d\uff20]"
FORMULA = re.compile(rf'({SEPARATOR})(?=[\s"]*{FORMULA_START})')
# A tab or a line end hides the start of a cell.
HIDDEN_STARTS = ("\t", "\r", "\n")


class _Echo:
    """A file whose ``write()`` returns its argument, for the csv module."""

    def write(self, line: str) -> str:
        return line


def export_messages(request: HttpRequest, queryset: QuerySet[SmsMessage]) -> StreamingHttpResponse:
    """Return the messages as a CSV file in UTF-8. Recipients are masked for a user without the permission."""
    response = StreamingHttpResponse(lines(queryset, request.user), content_type="text/csv; charset=utf-8")
    name = f"messente-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def lines(queryset: QuerySet[SmsMessage], user: Any) -> Iterator[str]:
    """Yield the lines of the file: the column names, then one line for each message, the newest first."""
    writer = csv.writer(_Echo())
    # Without a byte order mark, spreadsheets assume another encoding.
    yield "\ufeff"
    yield writer.writerow(COLUMNS)
    can_see_recipient = masking.may_see_recipients(user)
    last_pk: int | None = None
    rows = queryset.order_by("-pk")
    # Pages by primary key. A server-side cursor would need a transaction, or a connection of its own.
    while page := list((rows if last_pk is None else rows.filter(pk__lt=last_pk))[:BATCH]):
        last_pk = page[-1].pk
        for message in page:
            shown = mask_for(message, user if can_see_recipient else None)
            yield writer.writerow([escape_formula(_cell(message, shown, name)) for name in COLUMNS])


def escape_formula(value: str) -> str:
    """Return the text of a cell, with an apostrophe before each part that a spreadsheet could treat as a formula."""
    escaped = FORMULA.sub(r"\1'", value)
    return f"'{escaped}" if escaped.startswith(HIDDEN_STARTS) else escaped


def _cell(message: SmsMessage, shown: Any, name: str) -> str:
    if name in {"recipient", "error_text", "reference"}:
        return str(getattr(shown, name))
    if name == "cause":
        return str(message.cause.meaning) if message.cause else ""
    if name == "channels":  # without their content, as the file has no texts
        return ", ".join(str(channel.get("channel", "")) for channel in message.channels)
    value = message.resend_of_id if name == "resend_of" else getattr(message, name)
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
