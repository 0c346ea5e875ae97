"""The page that tells what came of an action, message by message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from django_messente_dlr.admin.masked_message import mask_for
from django_messente_dlr.models import SmsMessage

if TYPE_CHECKING:
    from django_messente_dlr.admin.base import ReadOnlyAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """What came of an action for one message.

    Attributes:
        message: the message, as it is now.
        tone: success, warning, error or quiet.
        word: in a word or two.
        text: in a sentence.
        successor: the message that was sent in its stead.
    """

    message: SmsMessage
    tone: str
    word: str
    text: str = ""
    successor: SmsMessage | None = None


def chosen(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, queryset: QuerySet[SmsMessage], *, limit: int
) -> list[SmsMessage] | None:
    """Return the messages that were chosen, the oldest first; None, having said so, where they are too many."""
    rows = list(queryset.defer(None).order_by("pk")[: limit + 1])
    if len(rows) > limit:
        text = gettext("Choose at most %(count)d messages at a time. Nothing was done.") % {"count": limit}
        page.message_user(request, text, messages.ERROR)
        return None
    return rows


def result_page(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, title: str, results: Sequence[ActionResult]
) -> TemplateResponse:
    """Return the page that shows results."""
    return render(page, request, "results.html", title, results=_with_numbers(results, request.user))


def render(
    page: ReadOnlyAdmin[SmsMessage], request: HttpRequest, template: str, title: str, **context: Any
) -> TemplateResponse:
    """Return a page of the app's own within the admin."""
    request.current_app = page.admin_site.name
    whole = {
        **page.admin_site.each_context(request),
        "title": title,
        "opts": page.opts,
        "media": page.media,
        **context,
    }
    return TemplateResponse(request, f"admin/django_messente_dlr/{template}", whole)


def _with_numbers(results: Sequence[ActionResult], user: Any) -> list[tuple[ActionResult, str]]:
    return [(result, mask_for(result.message, user).recipient) for result in results]
