"""The admin action "Send again": send the content of the selected messages as new messages, with `resend`.

Messente charges for each message, so a confirmation page comes first. Each message is sent again at most once, also
when several requests confirm at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin.action_results import (
    ActionResult,
    Batch,
    confirmation_page,
    result_page,
    select_batch,
)
from django_messente_dlr.exceptions import CreditsExhausted, MessageNotSent, OutcomeUnknown, SendInsideTransaction
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import resend
from django_messente_dlr.sending.resend_rules import Obstacle, obstacle, unknown_outcome

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

# Each message is one request to Messente while the browser waits.
MAX_SENT = 20
REASONS = {
    Obstacle.ERASED: _("The recipient was erased."),
    Obstacle.NO_RECIPIENT: _("The recipient is unknown."),
    Obstacle.DELIVERED: _("The message reached its recipient."),
    Obstacle.RESENT: _("The message was already sent again."),
    Obstacle.CANCELLED: _("The message was cancelled."),
    Obstacle.PENDING: _("The message may still arrive."),
    Obstacle.OTHER_CHANNEL: _("The message is not an SMS."),
    Obstacle.TEXT_NOT_STORED: _("The text was not stored. Set STORE_TEXT to store the text of future messages."),
    Obstacle.CONTENT_NOT_STORED: _(
        "The content of the channels was not stored. Set STORE_TEXT to store that of future messages."
    ),
}


def why_not(message: SmsMessage) -> str:
    """Return why a message cannot be sent again, or "" if it can: also if a worker's outcome is unknown."""
    reason = obstacle(message, is_unknown=unknown_outcome(message) is not None)
    return str(REASONS[reason]) if reason else ""


def send_messages_again(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage]
) -> HttpResponse | None:
    """Return the confirmation page, or send the messages if the request confirms it.

    Return None if too many messages are selected.
    """
    batch = select_batch(page, request, queryset, limit=MAX_SENT)
    if batch is None:
        return None
    if not request.POST.get("confirmed"):
        return _confirm(page, request, batch)
    results = _send(page, request, batch.rows)
    sent = any(result.tone in {"success", "warning"} for result in results)
    return result_page(page, request, gettext("Sent again") if sent else gettext("Not sent"), results, batch)


def _confirm(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, batch: Batch) -> HttpResponse:
    count = sum(not why_not(message) for message in batch.rows)
    sentence = ngettext(
        "%(counter)s message will be sent again, as a new message. Messente charges for it.",
        "%(counter)s messages will be sent again, as new messages. Messente charges for them.",
        count,
    )
    if unknown := sum(unknown_outcome(message) is not None for message in batch.rows):
        warning = ngettext(
            "The outcome of %(count)d of them is unknown: its recipient may get the message twice.",
            "The outcome of %(count)d of them is unknown: their recipients may get the messages twice.",
            unknown,
        )
        sentence = f"{sentence} {warning % {'count': unknown}}"
    return confirmation_page(
        page,
        request,
        batch,
        why_not,
        title=gettext("Send again?"),
        count=count,
        sentence=sentence,
        impossible=gettext("These messages cannot be sent again."),
        question=gettext("Send again"),
        button=gettext("Yes, send"),
    )


def _send(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, rows: list[SmsMessage]) -> list[ActionResult]:
    results: list[ActionResult] = []
    exhausted_accounts: set[str] = set()
    for message in rows:
        if reason := why_not(message):
            results.append(ActionResult(message=message, tone="quiet", word=gettext("Not sent"), text=reason))
            continue
        if message.account in exhausted_accounts:
            text = gettext("The account is out of credits.")
            results.append(ActionResult(message=message, tone="error", word=gettext("Not sent"), text=text))
            continue
        result = _send_one(message, exhausted_accounts)
        if result.successor is not None:
            page.log_change(request, message, gettext("Sent again as %(new)s.") % {"new": result.successor})
        results.append(result)
    return results


def _send_one(message: SmsMessage, exhausted_accounts: set[str]) -> ActionResult:
    """Send a message again, and add its account to ``exhausted_accounts`` if that is on hold."""
    try:
        # The confirmation page states that a message with an unknown outcome may arrive twice.
        new = resend(message, may_arrive_twice=True)
    except OutcomeUnknown as exc:
        text = gettext(
            "Messente did not respond, so the message may have been sent. Do not send it again; wait for a report."
        )
        return ActionResult(
            message=message, tone="warning", word=gettext("Uncertain"), text=text, successor=exc.sms_message
        )
    except MessageNotSent as exc:
        is_exhausted = isinstance(exc, CreditsExhausted)
        if is_exhausted and exc.sms_message is None:
            exhausted_accounts.add(message.account)
        word = gettext("Out of credits") if is_exhausted else gettext("Not sent")
        return ActionResult(message=message, tone="error", word=word, text=str(exc), successor=exc.sms_message)
    except (ValueError, ImproperlyConfigured, SendInsideTransaction, SmsMessage.DoesNotExist) as exc:
        return _unsent(message, str(exc))
    return ActionResult(message=message, tone="success", word=gettext("Sent"), successor=new)


def _unsent(message: SmsMessage, error: str) -> ActionResult:
    """Return the result for a message that has no new row."""
    word = gettext("Not sent")
    # After the row was read, another request may have sent the message again, or a report delivered it.
    stored = SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(pk=message.pk).first()
    if stored is None:
        return ActionResult(message=message, tone="error", word=word, text=gettext("The message was deleted."))
    reason = why_not(stored)
    return ActionResult(message=stored, tone="quiet" if reason else "error", word=word, text=reason or error)
