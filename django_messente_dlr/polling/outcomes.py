"""What a poll did to a message, and when the next question is due: `schedule` writes that into the poller's list."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.ledger import finding
from django_messente_dlr.models import PendingReport, SmsMessage
from django_messente_dlr.polling.pace import NotAsked
from django_messente_dlr.statements import Shape, assignments, conditions, part, table


class Outcome(TextChoices):
    """What a poll did to one message."""

    FINAL = "final", _("Its end is known.")
    OPEN = "open", _("Nothing final is known yet; it will be asked about again.")
    UNRESOLVED = "unresolved", _("Messente told nothing final within its 48 hours.")
    REFUSED = "refused", _("Messente refuses the account.")
    NOT_ASKED = "not_asked", _("Messente was not asked.")


ENDED = frozenset({Outcome.FINAL, Outcome.UNRESOLVED})


@dataclass(frozen=True, slots=True)
class Result:
    """What a poll did to one message.

    Attributes:
        message: its row as it was claimed.
        outcome: what was done.
        error: why the question was not asked, or not answered, in a sentence; "" where it was.
        again_at: when it is to be asked about again, which `schedule` writes down; None where that is not for us.
    """

    message: SmsMessage
    outcome: Outcome
    error: str = ""
    again_at: datetime | None = None


def schedule(results: Iterable[Result]) -> None:
    """Write down when messages are to be asked about again, those of all results in one go."""
    using = router.db_for_write(SmsMessage)
    connection = connections[using]
    told = sorted(results, key=lambda result: result.message.pk)  # in one order, so that no two wait for each other
    asked = [result.message for result in told if result.again_at and result.outcome is not Outcome.NOT_ASKED]
    listed = [result for result in told if result.message.next_poll_at is not None]
    counting, postponing, ending = _reschedule(using)
    # Only where its row says what our claim has written. A message that has become final meanwhile is not in this
    # list any more; one that was sent meanwhile, or whose claim has run out, is to be asked about when that says.
    statements = [
        (counting, [[message.poll_count + 1, message.pk] for message in asked]),
        (
            postponing,
            [_of_row(connection, result.message, due_at=result.again_at) for result in listed if result.again_at],
        ),
        # The ledger has taken them from the list. Whatever may leave one there, it is not asked about for ever.
        (ending, [_of_row(connection, result.message) for result in listed if result.outcome in ENDED]),
    ]
    with connection.cursor() as cursor:
        for statement, values in statements:
            if values:
                cursor.executemany(statement, values)


def put_off(messages: Collection[SmsMessage], reason: NotAsked, *, now: datetime) -> list[Result]:
    """Have messages that were claimed in vain asked about as if they had not been, but not before they may be."""
    if reason.again_in is not None:
        at = now + timedelta(seconds=reason.again_in)
        # Unless their claim has run out, and they are another's by now. One claim has one end.
        for until in {message.next_poll_at for message in messages}:
            if until is None:
                continue
            ours = [message.pk for message in messages if message.next_poll_at == until]
            finding.pending().filter(pk__in=ours, due_at=until).update(due_at=at)
    return [Result(message, Outcome.NOT_ASKED, str(reason)) for message in messages]


@cache
def _reschedule(using: str) -> tuple[str, str, str]:
    """Return the SQL that counts a question, says when the next is due, and that there is none."""
    counted = assignments(using, SmsMessage, Shape.of_parameters("poll_count"))
    message = conditions(using, SmsMessage, Shape.of_parameters("id"))
    due = assignments(using, PendingReport, Shape.of_parameters("due_at"))
    ours = conditions(using, PendingReport, Shape.of_parameters("message_id", "due_at"))
    return (
        f"UPDATE {table(using, SmsMessage)} SET {counted} WHERE {message}",  # noqa: S608 - all of it is our own
        f"UPDATE {table(using, PendingReport)} SET {due} WHERE {ours}",  # noqa: S608
        f"DELETE FROM {table(using, PendingReport)} WHERE {ours}",  # noqa: S608
    )


def _of_row(connection: BaseDatabaseWrapper, message: SmsMessage, **changes: Any) -> list[Any]:
    """Return parameters: changes, and what a row of the list says if it is still as we have claimed it."""
    ours = {"message_id": message.pk, "due_at": message.next_poll_at}
    return [*part(connection, PendingReport, changes).parameters, *part(connection, PendingReport, ours).parameters]
