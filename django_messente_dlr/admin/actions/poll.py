"""The admin action "Poll now": request the reports of the selected messages, and show each result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import polling
from django_messente_dlr.admin.action_results import ActionResult, result_page, select_batch
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling import PollOutcome

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

MAX_POLLED = 100
WORDS = {
    PollOutcome.FINAL: (_("Final"), "success"),
    PollOutcome.STILL_PENDING: (_("Still pending"), "quiet"),
    PollOutcome.UNRESOLVED: (_("Given up"), "warning"),
    PollOutcome.REFUSED: (_("Refused"), "error"),
    PollOutcome.NOT_ASKED: (_("Not polled"), "warning"),
}


def poll_messages(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage]
) -> HttpResponse | None:
    """Poll the selected messages, record the reports, and return the page with the results.

    Return None if too many messages are selected.
    """
    batch = select_batch(page, request, queryset, limit=MAX_POLLED)
    if batch is None:
        return None
    results = [_to_action_result(result) for result in polling.poll_now(batch.rows)]
    return result_page(page, request, gettext("Poll results"), results, batch)


def _to_action_result(result: polling.PollResult) -> ActionResult:
    word, tone = WORDS[result.outcome]
    if result.error and result.outcome is PollOutcome.STILL_PENDING:
        word, tone = _("No response"), "error"
    text = result.error or str(result.outcome.label)
    return ActionResult(message=result.message, tone=tone, word=str(word), text=text)
