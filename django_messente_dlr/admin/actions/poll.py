"""«Poll now»: asks Messente about chosen messages, and tells what it said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import polling
from django_messente_dlr.admin.action_results import Result, chosen, result_page
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling import Outcome

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

MAX_POLLED = 100
WORDS = {
    Outcome.FINAL: (_("Final"), "success"),
    Outcome.OPEN: (_("Nothing final"), "quiet"),
    Outcome.UNRESOLVED: (_("Given up"), "warning"),
    Outcome.REFUSED: (_("Refused"), "error"),
    Outcome.NOT_ASKED: (_("Not asked"), "warning"),
}


def poll_messages(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage]
) -> HttpResponse | None:
    """Ask about the chosen messages, have written down what Messente says, and show what came of each."""
    rows = chosen(page, request, queryset, limit=MAX_POLLED)
    if rows is None:
        return None
    results = [_shown(result) for result in polling.poll_now(rows)]
    return result_page(page, request, gettext("Polled now"), results)


def _shown(result: polling.Result) -> Result:
    word, tone = WORDS[result.outcome]
    if result.error and result.outcome is Outcome.OPEN:
        word, tone = _("No answer"), "error"
    text = result.error or str(result.outcome.label)
    return Result(message=result.message, tone=tone, word=str(word), text=text)
