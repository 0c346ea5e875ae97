"""The admin action "Cancel": cancel the selected messages in the queue, or at Messente, after a confirmation.

Cancelling twice does no harm, so a message is not claimed. Messente's answer decides, and each is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from django_messente_dlr import polling, sending
from django_messente_dlr.admin.action_results import (
    ActionResult,
    Batch,
    confirmation_page,
    result_page,
    select_batch,
)
from django_messente_dlr.admin.queue import queue_row
from django_messente_dlr.exceptions import CancelRefused, SendInsideTransaction, UnknownMessage
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

# Each message is one request to Messente while the browser waits.
MAX_CANCELLED = 20


def why_not(message: SmsMessage) -> str:
    """Return why a message is not cancelled, or "" if it is in the queue, or scheduled at Messente.

    Once a worker has begun to send it, Messente has to cancel it, for which its id must be known.
    """
    status = Status(message.status)
    if status is Status.CANCELLED:
        return gettext("The message was already cancelled.")
    if status.is_final:
        return gettext("The message is final.")
    if (row := queue_row(message)) is not None and row.attempted_at is None:
        return ""
    if reason := polling.unpollable_reason(message):
        return reason
    if (send_at := message.effective_send_at) is None or send_at <= timezone.now():
        return gettext("The message is not scheduled, or its time has passed.")
    return ""


def cancel_messages(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage]
) -> HttpResponse | None:
    """Return the confirmation page, or cancel the messages if the request confirms it.

    Return None if too many messages are selected.
    """
    batch = select_batch(page, request, queryset, limit=MAX_CANCELLED)
    if batch is None:
        return None
    if not request.POST.get("confirmed"):
        return _confirm(page, request, batch)
    results = [_cancel(page, request, message) for message in batch.rows]
    return result_page(page, request, gettext("Results of cancelling"), results, batch)


def _confirm(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, batch: Batch) -> HttpResponse:
    count = sum(not why_not(message) for message in batch.rows)
    sentence = ngettext(
        "%(counter)s message will be cancelled, in the queue or at Messente. It cannot be restored.",
        "%(counter)s messages will be cancelled, in the queue or at Messente. They cannot be restored.",
        count,
    )
    return confirmation_page(
        page,
        request,
        batch,
        why_not,
        title=gettext("Cancel messages?"),
        count=count,
        sentence=sentence,
        impossible=gettext("These messages cannot be cancelled."),
        question=gettext("Cancel"),
        button=gettext("Yes, cancel"),
    )


def _cancel(page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, message: SmsMessage) -> ActionResult:
    word, tone = gettext("Not cancelled"), "error"
    if reason := why_not(message):
        word = gettext("Cancelled") if message.status == Status.CANCELLED else word
        return ActionResult(message=message, tone="quiet", word=word, text=reason)
    is_queued = queue_row(message) is not None
    try:
        sending.cancel(message)
    except UnknownMessage as exc:
        text = f"{gettext('Messente does not know the message, or has sent it already.')} ({exc.answer})"
        return ActionResult(message=message, tone=tone, word=word, text=text)
    except (CancelRefused, SendInsideTransaction, ImproperlyConfigured, ValueError) as exc:
        if isinstance(exc, CancelRefused) and not exc.answered:  # the message may be cancelled
            word, tone = gettext("Uncertain"), "warning"
        return ActionResult(message=message, tone=tone, word=word, text=str(exc))
    except SmsMessage.DoesNotExist:
        return ActionResult(message=message, tone=tone, word=word, text=gettext("The message was deleted."))
    if message.status != Status.CANCELLED:  # a report was faster
        return ActionResult(message=message, tone="warning", word=word, text=str(Status(message.status).label))
    note = gettext("Cancelled in the queue.") if is_queued else gettext("Cancelled at Messente.")
    page.log_change(request, message, note)
    return ActionResult(message=message, tone="success", word=gettext("Cancelled"))
