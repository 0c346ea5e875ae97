"""The page of one message: its result, its timeline, and links to the messages that repeat it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from django_messente_dlr.admin import causes, formatting, rendering
from django_messente_dlr.admin.masked_message import MaskedMessage
from django_messente_dlr.admin.queue import queue_note
from django_messente_dlr.admin.timeline import events
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status

MAX_RESENDS = 10  # `resend` creates one; the project's code can create more


def message_context(message: SmsMessage, user: Any, *, masked: MaskedMessage) -> dict[str, Any]:
    """Return the values for the template of the page.

    Args:
        message: the message.
        user: the user of the request. The timeline has reports only if the user may view reports.
        masked: the columns that the user may see.
    """
    may_dispatch = user.has_perm("django_messente_dlr.change_deliveryreport")
    may_view_reports = may_dispatch or user.has_perm("django_messente_dlr.view_deliveryreport")
    reports = DeliveryReport.objects.filter(message=message).order_by("received_at", "pk") if may_view_reports else ()
    status, note = Status(message.status), queue_note(message)
    recipient = masked.recipient
    resends = message.resends.select_related("queued").order_by("pk")
    resent_as = list(resends[:MAX_RESENDS]) if message.resent_at else []
    planned_at = next((new.queued.due_at for new in resent_as if hasattr(new, "queued")), None)
    return {
        **({"title": gettext("Message to %(recipient)s") % {"recipient": recipient}} if recipient else {}),
        "tone": note.tone if note else rendering.TONES[status],
        "sentence": note.sentence if note else rendering.SENTENCES[status],
        "cause": masked.cause,
        "advice": (note and note.advice) or causes.advice_text(message),
        "resend_may_help": causes.resend_may_help(message),
        "timeline": events(
            message,
            reports,
            can_see_recipient=masked.can_see_recipient,
            note=note,
            resend_planned_at=planned_at,
        ),
        "reports_hidden": not may_view_reports,
        "resent_as": resent_as,
        "resend_planned_at": planned_at,
        "may_dispatch": may_dispatch,
        "empty": formatting.EMPTY,
    }
