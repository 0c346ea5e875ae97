"""«Poll now»: asks Messente about chosen messages, and tells what it said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import polling
from django_messente_dlr.admin.action_results import ActionResult, chosen, result_page
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
    """Ask about the chosen messages, have written down what Messente says, and show what came of each."""
    rows = chosen(page, request, queryset, limit=MAX_POLLED)
    if rows is None:
        return None
    results = [_shown(result) for result in polling.poll_now(rows)]
    return result_page(page, request, gettext("Poll results"), results)


def _shown(result: polling.PollResult) -> ActionResult:
    word, tone = WORDS[result.outcome]
    if result.error and result.outcome is PollOutcome.STILL_PENDING:
        word, tone = _("No response"), "error"
    text = result.error or str(result.outcome.label)
    return ActionResult(message=result.message, tone=tone, word=str(word), text=text)
