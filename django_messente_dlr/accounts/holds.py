"""The recent credit holds of an account, and how long they keep balance checks from ending the current one.

An account can be put on hold although it has credit: by a forged report, or if a message costs more than is left. The
first balance check above ``CREDIT_FLOOR`` ends such a hold. After `MAX_HOLDS` holds within `PERIOD` without a higher
balance, a check at this balance proves nothing: the last of them lasts `PERIOD`, unless the balance rises.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import router
from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.models import Account
from django_messente_dlr.utils.times import shift, to_utc

MAX_HOLDS = 3
PERIOD = timedelta(hours=1)
TIME_FORMAT = "%Y-%m-%d %H:%M %Z"


def account_rows() -> QuerySet[Account]:
    """Return the accounts of the database for writes, because a replica may not have the newest hold yet."""
    return Account.objects.using(router.db_for_write(Account))


def held_accounts() -> QuerySet[Account]:
    """Return the accounts that are on credit hold, by name."""
    return account_rows().filter(credits_exhausted_at__isnull=False).order_by("name")


def is_held(name: str) -> bool:
    """Return whether an account is on credit hold."""
    return held_accounts().filter(name=name).exists()


def paused_accounts() -> set[str]:
    """Return the names of the accounts that nothing is sent from: those on hold, if the setting pauses them."""
    if not conf.get_config().hold_on_credits_exhausted:
        return set()
    return set(held_accounts().values_list("name", flat=True))


def refuse_if_held(name: str) -> None:
    """Check that messages can be sent from an account.

    Raises:
        CreditsExhausted: the account is on credit hold, and ``HOLD_ON_CREDITS_EXHAUSTED`` is on.
    """
    if conf.get_config().hold_on_credits_exhausted and (account := held_accounts().filter(name=name).first()):
        raise CreditsExhausted(
            f'The Messente account "{name}" is out of credits, so nothing was sent. It is {describe_hold(account)}. '
            "Add credit, then run poll_dlrs or release the hold in the admin."
        )


def add_current_hold(account: Account, *, now: datetime) -> list[dict[str, Any]]:
    """Return the recent holds of an account, the current one among them with the balance of its first check.

    Args:
        account: the account, with the new balance.
        now: when the balance was requested.
    """
    since = account.credits_exhausted_at
    recent_holds: list[dict[str, Any]] = account.recent_holds
    # A number of seconds, which has no time zone: the project may change USE_TZ.
    if since is None or since > now or (recent_holds and recent_holds[-1]["since"] == to_utc(since).timestamp()):
        return recent_holds
    return [*recent_holds, {"since": to_utc(since).timestamp(), "balance": str(account.balance)}][-MAX_HOLDS:]


def held_until(account: Account, *, now: datetime | None = None) -> datetime | None:
    """Return the time before which no balance check ends the hold of an account; None if the next one may.

    Args:
        account: the account.
        now: the current time; None to read the clock.
    """
    since, holds, balance = account.credits_exhausted_at, account.recent_holds, account.balance
    if since is None or balance is None or len(holds) < MAX_HOLDS or holds[-1]["since"] != to_utc(since).timestamp():
        return None
    if holds[-1]["since"] - holds[0]["since"] >= PERIOD.total_seconds() or balance > Decimal(holds[0]["balance"]):
        return None
    until = shift(since, PERIOD)
    return until if until > (now or timezone.now()) else None


def describe_hold(account: Account) -> str:
    """Return since when an account is on hold, and why a balance check does not end it, as the end of a sentence."""
    text = f"on credit hold since {account.credits_exhausted_at:{TIME_FORMAT}}"
    if until := held_until(account):
        text += (
            ", the third hold within an hour without a higher balance, so no balance check ends it before "
            f"{until:{TIME_FORMAT}}"
        )
    return text
