"""Complete work that a process that died, or a race that no lock prevents, has left undone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch, receiving
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.maintenance import missing_polls, resend_contents, statistics
from django_messente_dlr.messente import errors
from django_messente_dlr.models import Account

logger = logging.getLogger(__name__)

# Seconds. Slow receivers must not delay the polls of a process that also polls. The next sweep sends the rest.
MAX_DISPATCH = 30.0


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The numbers of one sweep.

    Attributes:
        matched: orphan reports that were matched to a message.
        dispatched: reports whose signals were due: deferred ones, and those of a process that died.
        scheduled: messages that the project had inserted without a pending poll, and that have one now.
        held: by name, the accounts that are on credit hold after the sweep, with a description of the hold.
    """

    matched: int
    dispatched: int
    scheduled: int
    held: dict[str, str] = field(default_factory=dict)


def sweep(account_names: Collection[str] | None = None, *, stop: threading.Event | None = None) -> SweepResult:
    """Check held accounts, match orphans, dispatch overdue reports, create missing polls, and update the statistics.

    Args:
        account_names: the accounts whose balance to check; None for all that are configured.
        stop: ends the dispatch before the next report when it is set. The rest stays due.
    """
    check_balances(account_names)  # first: receivers of the project may take long, and a hold must not last longer
    matched = receiving.match_orphans()
    dispatched = dispatch.dispatch_overdue(stop=stop, seconds=MAX_DISPATCH, on_orphan=receiving.match_orphan)
    scheduled = missing_polls.create_missing_polls()
    resend_contents.delete_final_contents()
    statistics.update_statistics()
    held = {account.name: accounts.describe_hold(account) for account in _held_accounts(account_names)}
    return SweepResult(matched=matched, dispatched=dispatched, scheduled=scheduled, held=held)


def check_balances(account_names: Collection[str] | None = None) -> None:
    """Request the balance of the accounts on credit hold, and end the hold of those that have credit.

    Args:
        account_names: the accounts to check; None for all that are configured.
    """
    for account in _held_accounts(account_names):
        requested_at = timezone.now()
        try:
            accounts.record_balance(account.name, client_for(account.name).get_balance(), now=requested_at)
        except errors.MessenteError as exc:
            logger.warning("The balance of account %s could not be requested: %s", account.name, exc)


def _held_accounts(account_names: Collection[str] | None) -> QuerySet[Account]:
    names = list(conf.accounts()) if account_names is None else account_names
    return accounts.held_accounts().filter(name__in=names)
