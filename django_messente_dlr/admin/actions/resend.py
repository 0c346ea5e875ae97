"""The admin action "Send again": send the text of the selected messages as new messages.

Messente charges for each message, so a confirmation page comes first. Each message is sent again at most once, also
when several requests confirm at the same time: a request claims the message by a conditional UPDATE before it sends.
The new message is an ordinary message, and can itself be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from django_messente_dlr.admin.action_results import (
    ActionResult,
    Batch,
    confirmation_page,
    missing_number_reason,
    result_page,
    select_batch,
)
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.messente.errors import MessenteError, OutcomeUnknown
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import send_sms

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

# Each message is one request to Messente while the browser waits.
MAX_SENT = 20
FAILURES = [status for status in Status if status.is_failure]


def why_not(message: SmsMessage) -> str:
    """Return why a message cannot be sent again, or "" if it can."""
    status = Status(message.status)
    if reason := missing_number_reason(message):
        return reason
    if status.is_delivery:
        return gettext("The message reached its recipient.")
    if message.resent_at is not None:
        return gettext("The message was already sent again.")
    if not (status.is_failure or status is Status.UNRESOLVED):
        return gettext("The message may still arrive.")
    if message.channel != "sms":
        return gettext("The message is not an SMS.")
    return (
        ""
        if message.text
        else gettext("The text was not stored. Set STORE_TEXT to store the text of future messages.")
    )


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
    return confirmation_page(
        page,
        request,
        batch,
        why_not,
        title=gettext("Send again?"),
        sentence=sentence % {"counter": count} if count else gettext("These messages cannot be sent again."),
        question=gettext("Send again"),
        button=gettext("Yes, send") if count else "",
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
        result = _send_one(message)
        if result.successor is None and result.tone == "error" and result.word == gettext("Out of credits"):
            exhausted_accounts.add(message.account)
        if result.successor is not None:
            page.log_change(request, message, gettext("Sent again as %(new)s.") % {"new": result.successor})
        results.append(result)
    return results


def _claim(message: SmsMessage) -> bool:
    """Mark a message as sent again. Return True for the one request that may send it."""
    rows = SmsMessage.objects.using(router.db_for_write(SmsMessage))
    # After the row was read, a report can have changed the status to delivered, or the recipient was erased. Then no
    # row matches.
    statuses = [*FAILURES, Status.UNRESOLVED]
    claimable = rows.filter(pk=message.pk, status__in=statuses, resent_at=None, recipient=message.recipient)
    return bool(claimable.update(resent_at=timezone.now()))


def _release(message: SmsMessage) -> None:
    """Remove the mark of a message for which Messente certainly received no new message."""
    SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(pk=message.pk).update(resent_at=None)


def _send_one(message: SmsMessage) -> ActionResult:
    if not _claim(message):
        message.refresh_from_db(using=router.db_for_write(SmsMessage))
        return ActionResult(message=message, tone="quiet", word=gettext("Not sent"), text=why_not(message))
    try:
        new = send_sms(
            message.recipient, message.text, sender=message.sender, account=message.account, metadata=message.metadata
        )
    except CreditsExhausted as exc:
        _release(message)
        return ActionResult(message=message, tone="error", word=gettext("Out of credits"), text=str(exc))
    except OutcomeUnknown as exc:
        text = gettext(
            "Messente did not respond, so the message may have been sent. Do not send it again; wait for a report."
        )
        return ActionResult(
            message=message, tone="warning", word=gettext("Uncertain"), text=text, successor=exc.sms_message
        )
    except (MessenteError, ValueError, ImproperlyConfigured) as exc:
        new_row = getattr(exc, "sms_message", None)
        if new_row is None:
            _release(message)
        return ActionResult(message=message, tone="error", word=gettext("Not sent"), text=str(exc), successor=new_row)
    return ActionResult(message=message, tone="success", word=gettext("Sent"), successor=new)
