"""The send queue in the admin: the filter and the counts of the list, and the state on the page of a message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import accounts
from django_messente_dlr.admin.quick_filters import QuickFilter
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.models.querysets import capped_count
from django_messente_dlr.models.queue import QueuedMessageQuerySet
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending.queue.monitoring import LATE_AFTER
from django_messente_dlr.utils.times import shift

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


class QueueState(models.TextChoices):
    """The states of a queued message. The values are those of the filter."""

    WAITING = "waiting", _("Waiting in the queue")
    CLAIMED = "claimed", _("Claimed by a worker")
    ATTEMPTED = "attempted", _("Being sent")
    UNKNOWN = "unknown", _("Unknown outcome")

    @classmethod
    def from_row(cls, row: QueuedMessage, now: datetime) -> QueueState:
        """Return the state of a row at ``now``, as the methods of its queryset define it."""
        is_leased = row.leased_until is not None and row.leased_until > now
        if row.attempted_at is None:
            return cls.CLAIMED if is_leased else cls.WAITING
        return cls.ATTEMPTED if is_leased else cls.UNKNOWN

    def rows(self, now: datetime) -> QueuedMessageQuerySet:
        """Return the rows in this state at ``now``."""
        rows: QueuedMessageQuerySet = getattr(QueuedMessage.objects.all(), self.value)(now)
        return rows


class QueueFilter(admin.SimpleListFilter):
    """Filter messages by their state in the send queue."""

    title = _("send queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str | StrPromise]]:
        return list(QueueState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value not in QueueState.values:
            raise IncorrectLookupParameters
        # The queue is short compared with the messages. A subquery lets the database begin with it.
        return queryset.filter(pk__in=QueueState(value).rows(timezone.now()).values("pk"))


def queue_filters(request: HttpRequest) -> list[QuickFilter]:
    """Return the links to the messages in the queue, with their numbers. A project without a queue gets none."""
    chosen, now = request.GET.get(QueueFilter.parameter_name), timezone.now()
    if not chosen and not QueuedMessage.objects.exists():
        return []
    return [
        QuickFilter(state.label, f"queue={state.value}", capped_count(state.rows(now)), chosen == state.value)
        for state in (QueueState.WAITING, QueueState.ATTEMPTED, QueueState.UNKNOWN)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNote:
    """The state of one message in the queue, for its page.

    Attributes:
        state: the state.
        title: its name; for a message that waits, whether it is late.
        at: the time of the state: when the message is due, or when its sending began.
        tone: the colour: ahead, quiet or warning.
        sentence: what the state means.
        lines: details, one sentence each.
        advice: what to do; "" for nothing.
    """

    state: QueueState
    title: str
    at: datetime | None
    tone: str
    sentence: str
    lines: list[str]
    advice: str = ""

    @property
    def is_attempted(self) -> bool:
        """Whether a worker has begun to send the message, so that Messente may have it."""
        return self.state in {QueueState.ATTEMPTED, QueueState.UNKNOWN}


def queue_row(message: SmsMessage) -> QueuedMessage | None:
    """Return the row of a message in the queue, or None. Only a message with the status ``queued`` can have one."""
    if message.status != Status.QUEUED:
        return None
    return QueuedMessage.objects.defer("content").filter(pk=message.pk).first()


def queue_note(message: SmsMessage) -> QueueNote | None:
    """Return the state of a message in the queue, or None if it is not in the queue."""
    row, now = queue_row(message), timezone.now()
    if row is None:
        return None
    state = QueueState.from_row(row, now)
    if state is QueueState.WAITING:
        return _waiting(row, now)
    tone, sentence, advice = _description(state)
    return QueueNote(
        state=state,
        title=str(state.label),
        at=row.attempted_at or row.due_at,
        tone=tone,
        sentence=sentence,
        lines=_attempts(row),
        advice=advice,
    )


def _description(state: QueueState) -> tuple[str, str, str]:
    """Return the tone, the sentence and the advice of a state in which a worker has claimed the message."""
    if state is QueueState.CLAIMED:
        return "ahead", gettext("A worker has reserved the message and will send it next."), ""
    if state is QueueState.ATTEMPTED:
        return "quiet", gettext("A worker is sending the message to Messente."), ""
    return (
        "warning",
        gettext("Messente may have the message: no response to the request was recorded."),
        gettext(
            "The message is never sent again automatically. A delivery report settles it. Without one, search for "
            "the message in Messente's dashboard before you send it again."
        ),
    )


def _waiting(row: QueuedMessage, now: datetime) -> QueueNote:
    is_late = row.due_at is not None and row.due_at <= shift(now, -LATE_AFTER)
    advice = ""
    if row.account in accounts.paused_accounts():
        advice = gettext("The account is on credit hold. Add credit; its messages wait until the hold ends.")
    elif is_late:
        advice = gettext("The message is late. Run send_queued every minute, or as a service.")
    return QueueNote(
        state=QueueState.WAITING,
        title=gettext("Late in the queue") if is_late else str(QueueState.WAITING.label),
        at=row.due_at,
        tone="warning" if advice else "ahead",
        sentence=gettext("The message waits in the queue. Messente does not have it yet."),
        lines=[gettext("Priority: %(priority)s.") % {"priority": row.get_priority_display()}, *_attempts(row)],
        advice=advice,
    )


def _attempts(row: QueuedMessage) -> list[str]:
    if not row.attempts:
        return []
    text = ngettext(
        "%(count)d attempt so far, which certainly sent nothing.",
        "%(count)d attempts so far, which certainly sent nothing.",
        row.attempts,
    )
    return [text % {"count": row.attempts}]
