"""The admin action "Erase recipients": replace the numbers of the selected messages by pseudonyms, everywhere.

Nothing restores a number, so a confirmation page comes first. The form, the log entries and the texts that the admin
shows afterwards contain primary keys and counts, but no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext

from django_messente_dlr.admin.action_results import (
    ActionResult,
    Batch,
    confirmation_page,
    missing_number_reason,
    result_page,
    select_batch,
)
from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.querysets import capped_count
from django_messente_dlr.utils.phone_numbers import spellings

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

MAX_ERASED = 20
# All messages and reports are read while the browser waits. With more rows than this, the command takes their place.
MAX_ROWS = 200_000


def erase_numbers(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage]
) -> HttpResponse | None:
    """Return the confirmation page, or erase the numbers if the request confirms it.

    Return None if too many messages are selected, or if the tables have too many rows.
    """
    batch = select_batch(page, request, queryset, limit=MAX_ERASED)
    if batch is None:
        return None
    if sum(capped_count(model.objects.all(), cap=MAX_ROWS) for model in (SmsMessage, DeliveryReport)) > MAX_ROWS:
        text = gettext(
            "There are too many messages and reports to read while the browser waits. Nothing was erased. Run the "
            "command erase_recipient on the server."
        )
        page.message_user(request, text, messages.ERROR)
        return None
    if not request.POST.get("confirmed"):
        return _confirm(page, request, batch)
    return result_page(page, request, gettext("Erase recipients"), _erase(page, request, batch.rows), batch)


def _confirm(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, batch: Batch) -> HttpResponse:
    numbers = {
        number
        for message in batch.rows
        if not missing_number_reason(message)
        for number in spellings(message.recipient)
    }
    count = capped_count(SmsMessage.objects.filter(recipient__in=numbers))
    sentence = ngettext(
        "%(counter)s message was sent to these numbers. They will be erased wherever this app has stored them, and "
        "cannot be restored.",
        "%(counter)s messages were sent to these numbers. They will be erased wherever this app has stored them, and "
        "cannot be restored.",
        count,
    )
    return confirmation_page(
        page,
        request,
        batch,
        missing_number_reason,
        title=gettext("Erase recipients?"),
        count=count,
        sentence=sentence,
        impossible=gettext("These messages have no number to erase."),
        question=gettext("Erase"),
        button=gettext("Yes, erase"),
    )


def _erase(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, rows: list[SmsMessage]) -> list[ActionResult]:
    erasable = [message for message in rows if not missing_number_reason(message)]
    # "+372…" and "00372…" are one number.
    numbers = {tuple(spellings(message.recipient)): message.recipient for message in erasable}
    result = erase_recipients(numbers.values())
    text = gettext(
        "Numbers were erased in %(messages)d messages, %(reports)d delivery reports and %(entries)d log entries."
    )
    counts = {"messages": result.messages, "reports": result.reports, "entries": result.log_entries}
    page.message_user(request, text % counts, messages.SUCCESS)
    results = []
    for message in rows:
        if reason := missing_number_reason(message):
            results.append(ActionResult(message=message, tone="quiet", word=gettext("Not erased"), text=reason))
            continue
        message.refresh_from_db(using=router.db_for_write(SmsMessage))
        page.log_change(request, message, gettext("Erased the recipient."))
        results.append(ActionResult(message=message, tone="success", word=gettext("Erased")))
    return results
