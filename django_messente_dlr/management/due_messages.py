"""What a command prints about the messages that are due, or that wait: as text for people, or as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from django_messente_dlr import conf

Rows = TypeVar("Rows", bound="QuerySet[Any]")


def of_accounts(rows: Rows, names: Iterable[str] | None) -> Rows:
    """Return the rows of some accounts.

    Args:
        rows: rows with a column ``account``.
        names: the names of the accounts; None for all.

    Raises:
        ImproperlyConfigured: an account is not configured.
    """
    return rows if names is None else rows.filter(account__in=[conf.account(name).name for name in names])


def count_waiting(rows: QuerySet[Any]) -> tuple[int, datetime | None]:
    """Return the number of rows, and the time at which the first is due.

    Args:
        rows: rows with a column ``due_at``.
    """
    waiting = rows.aggregate(number=Count("pk"), at=Min("due_at"))
    return waiting["number"], waiting["at"]


def count_by_account(rows: QuerySet[Any]) -> dict[str, int]:
    """Return the number of rows of each account, by its name.

    Args:
        rows: rows with a column ``account``.
    """
    return dict(rows.order_by("account").values_list("account").annotate(number=Count("pk")))


def isoformat(at: datetime | None) -> str | None:
    """Return a time for JSON, or None."""
    return at.isoformat() if at else None


def describe_due(counts: Mapping[str, int], *, verb: str, others: int, why_not: str, next_at: datetime | None) -> str:
    """Return what a run would do, for --dry-run.

    Args:
        counts: the number of messages that are due, by account.
        verb: what the run does with them, such as "poll".
        others: the number of those that are due and that the run leaves.
        why_not: the reasons for that.
        next_at: when the first message is due.
    """
    by_account = ", ".join(f"{name} {number}" for name, number in counts.items())
    return (
        f"would {verb} {sum(counts.values())} messages"
        + (f" ({by_account})" if by_account else "")
        + (f"; {others} cannot be {why_not}" if others else "")
        + (f"; the first is due at {next_at:%Y-%m-%d %H:%M:%S %Z}" if next_at else "")
    )


def describe_waiting(number: int, next_at: datetime | None, *, what_for: str = "") -> str:
    """Return how many messages wait, and when the first is due, in local time.

    Args:
        number: the number of messages.
        next_at: when the first is due; None if there is none.
        what_for: what they wait for, such as " for a poll".
    """
    if next_at is None:
        return f"no message waits{what_for}"
    local = timezone.localtime(next_at) if timezone.is_aware(next_at) else next_at
    messages = "1 message waits" if number == 1 else f"{number} messages wait"
    return f"{messages}{what_for}, the first is due at {local:%Y-%m-%d %H:%M:%S %Z}".rstrip()
