"""The page that asks for confirmation of an action, and the page that shows its result for each message.

The browser waits while an action runs, so an action handles the selected messages in batches: each page has a button
that continues with the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext

from django_messente_dlr.admin.base import PRIMARY_KEY
from django_messente_dlr.admin.masked_message import mask_for
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils.phone_numbers import spellings

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin

# Django accepts 1,000 fields in a form, and each message is one.
MAX_SELECTED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """The result of an action for one message.

    Attributes:
        message: the message after the action.
        tone: success, warning, error or quiet.
        word: the result in one or two words.
        text: the result in a sentence.
        successor: the new message that replaces this one, if the action sent one.
    """

    message: SmsMessage
    tone: str
    word: str
    text: str = ""
    successor: SmsMessage | None = None


def missing_number_reason(message: SmsMessage) -> str:
    """Return why a message has no phone number, or "" if it has one."""
    if message.is_erased:
        return gettext("The recipient was erased.")
    return "" if spellings(message.recipient) else gettext("The recipient is unknown.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The messages that one request handles.

    Attributes:
        action: the name of the action.
        rows: the messages, in order of primary key.
        remaining: the primary keys of the selected messages that follow in later batches.
    """

    action: str
    rows: list[SmsMessage]
    remaining: list[int]

    def context(self) -> dict[str, Any]:
        """Return the values for the button that continues with the next batch."""
        count = len(self.remaining)
        text = ngettext(
            "Continue with the next message (%(count)d remaining)",
            "Continue with the next messages (%(count)d remaining)",
            count,
        )
        return {"action": self.action, "remaining": self.remaining, "continue_label": text % {"count": count}}


def select_batch(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage], *, limit: int
) -> Batch | None:
    """Return the first of the selected messages, up to ``limit``, and the keys of the others.

    If more than `MAX_SELECTED` messages are selected, show an error and return None.
    """
    rows = list(queryset.defer(None).order_by("pk")[: MAX_SELECTED + 1])
    # The confirmation page passes on the keys of later batches.
    later = [int(key) for key in request.POST.get("remaining", "").split(",") if PRIMARY_KEY.fullmatch(key)]
    if len(rows) + len(later) > MAX_SELECTED:
        text = gettext("Choose at most %(count)d messages at a time. Nothing was done.") % {"count": MAX_SELECTED}
        page.message_user(request, text, messages.ERROR)
        return None
    remaining = [message.pk for message in rows[limit:]] + later
    return Batch(action=request.POST["action"], rows=rows[:limit], remaining=remaining)


def result_page(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, title: str, results: Sequence[ActionResult], batch: Batch
) -> TemplateResponse:
    """Return the page that lists the results."""
    shown = _with_recipients(results, request.user)
    return render_page(page, request, "results.html", title, results=shown, **batch.context())


def confirmation_page(
    page: ReadOnlyAdmin[SmsMessage],
    request: HttpRequest,
    batch: Batch,
    why_not: Callable[[SmsMessage], str],
    *,
    count: int,
    sentence: str,
    impossible: str,
    button: str,
    **texts: str,
) -> TemplateResponse:
    """Return the page that lists the selected messages and asks whether to run an action.

    Args:
        page: the admin of the messages.
        request: the request.
        batch: the messages.
        why_not: returns why the action does not apply to a message, or "".
        count: the number of messages that the action changes. If it is 0, there is nothing to confirm.
        sentence: the consequence, with "%(counter)s" for the number.
        impossible: the sentence if the number is 0.
        button: the text of the button that confirms the action.
        **texts: ``title``, and ``question``, the heading of the column of yes and no.
    """
    title = texts.pop("title")
    texts |= {"sentence": sentence % {"counter": count} if count else impossible, "button": button if count else ""}
    lines = [(message, mask_for(message, request.user), why_not(message)) for message in batch.rows]
    return render_page(page, request, "confirm.html", title, lines=lines, **texts, **batch.context())


def render_page(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, template: str, title: str, **context: Any
) -> TemplateResponse:
    """Return an admin page that a template of this app renders.

    Args:
        page: the admin of the messages.
        request: the request.
        template: the name of the template in admin/django_messente_dlr/.
        title: the heading of the page.
        **context: values for the template.
    """
    request.current_app = page.admin_site.name
    page_context = {
        **page.admin_site.each_context(request),
        "title": title,
        "opts": page.opts,
        "media": page.media,
        **context,
    }
    return TemplateResponse(request, f"admin/django_messente_dlr/{template}", page_context)


def _with_recipients(results: Sequence[ActionResult], user: Any) -> list[tuple[ActionResult, str]]:
    """Return each result with its recipient, masked for the user: a result can quote a response of Messente."""
    masked = [(result, mask_for(result.message, user)) for result in results]
    return [(replace(result, text=shown.mask(result.text)), shown.recipient) for result, shown in masked]
