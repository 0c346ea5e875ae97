"""What a process that died, or a race that no lock can win, has left undone is done here."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch, receiving
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.messente import errors
from django_messente_dlr.models import Account

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What one sweep did.

    Attributes:
        matched: orphan reports whose message was found.
        dispatched: reports whose signals a dead process had left unsent.
    """

    matched: int
    dispatched: int


def sweep(account_names: Collection[str] | None = None) -> SweepResult:
    """Match orphans, send signals that were left unsent, tally, and ask the balance of accounts that are on hold.

    Args:
        account_names: the accounts whose balance to ask for; None for all that are configured.
    """
    swept = SweepResult(matched=receiving.match_orphans(), dispatched=dispatch.dispatch_overdue())
    statistics.update_statistics()
    names = list(conf.accounts()) if account_names is None else account_names
    for account in Account.objects.filter(name__in=names, credits_exhausted_at__isnull=False):
        asked_at = timezone.now()
        try:
            accounts.record_balance(account.name, client_for(account.name).get_balance(), now=asked_at)
        except errors.MessenteError as exc:
            logger.warning("The balance of account %s could not be asked for: %s", account.name, exc)
    return swept
