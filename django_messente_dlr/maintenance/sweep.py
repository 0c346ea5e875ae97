"""Complete work that a process that died, or a race that no lock prevents, has left undone."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch, receiving
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.maintenance import missing_polls, statistics
from django_messente_dlr.messente import errors
from django_messente_dlr.models import Account

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The numbers of one sweep.

    Attributes:
        matched: orphan reports that were matched to a message.
        dispatched: overdue reports whose signals were sent, because the process that recorded them died.
        scheduled: messages that the project had inserted without a pending poll, and that have one now.
    """

    matched: int
    dispatched: int
    scheduled: int


def sweep(account_names: Collection[str] | None = None) -> SweepResult:
    """Match orphans, dispatch overdue reports, create missing polls, update the statistics, and check held accounts.

    Args:
        account_names: the accounts whose balance to check; None for all that are configured.
    """
    result = SweepResult(
        matched=receiving.match_orphans(),
        dispatched=dispatch.dispatch_overdue(),
        scheduled=missing_polls.create_missing_polls(),
    )
    statistics.update_statistics()
    names = list(conf.accounts()) if account_names is None else account_names
    for account in Account.objects.filter(name__in=names, credits_exhausted_at__isnull=False):
        requested_at = timezone.now()
        try:
            accounts.record_balance(account.name, client_for(account.name).get_balance(), now=requested_at)
        except errors.MessenteError as exc:
            logger.warning("The balance of account %s could not be requested: %s", account.name, exc)
    return result
