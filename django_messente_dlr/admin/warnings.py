"""Is delivery healthy, and is there still credit? What is wrong, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext

from django_messente_dlr import conf
from django_messente_dlr.admin.statistics import Bucket
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, ReportOutcome, SmsMessage
from django_messente_dlr.models.querysets import CappedCount, capped_count, filter_partial_index
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER

# So many messages, and not one callback since: that is no chance.
TELLING = 5
CALLBACK_PATIENCE = timedelta(hours=1)
STALE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What still waits for something, counted up to a cap.

    Attributes:
        pending: messages of which nothing final is known.
        overdue: messages that should have been asked about long ago.
        orphans: reports without a message.
        unreadable: reports that tell nothing that we know.
        undispatched: reports whose signals have not been sent.
        receivers_failed: reports of which a receiver raised.
    """

    pending: CappedCount
    overdue: CappedCount
    orphans: CappedCount
    unreadable: CappedCount
    undispatched: CappedCount
    receivers_failed: CappedCount


def count_backlog(now: datetime) -> Backlog:
    """Count what waits."""
    reports = DeliveryReport.objects.all()
    return Backlog(
        pending=capped_count(SmsMessage.objects.pending()),
        overdue=capped_count(SmsMessage.objects.overdue(now)),
        orphans=capped_count(reports.orphans()),
        unreadable=capped_count(filter_partial_index(reports, "outcome", ReportOutcome.UNREADABLE)),
        undispatched=capped_count(reports.undispatched()),
        receivers_failed=capped_count(reports.dispatch_failed()),
    )


def warnings(accounts: Sequence[Account], bars: Sequence[Bucket], overdue: int, *, now: datetime) -> list[str]:
    """Return what somebody should look at, a sentence or two each.

    Args:
        accounts: all of them.
        bars: the last 24 hours, in hours.
        overdue: how many messages should have been asked about long ago.
        now: the present.
    """
    said = []
    foreign = [account.name for account in accounts if account.name not in conf.accounts()]
    waiting_for = set(PendingPoll.objects.filter(account__in=foreign).values_list("account", flat=True).distinct())
    for account in accounts:
        if account.name in foreign:
            # It sends nothing, and nobody asks about it: what it said last stays in its row.
            if account.name in waiting_for:
                text = gettext(
                    "The account “%(account)s” is not configured, so its pending messages cannot be polled. Restore "
                    "it in the settings until these messages are final."
                )
                said.append(text % {"account": account.name})
            continue
        sent = _sent_since(account.last_callback_at, account.name, bars)
        if conf.get_config().callback_base_url and sent >= TELLING and _older(account.last_callback_at, now):
            said.append(_silence(account, bars) % {"account": account.name, "count": sent})
        if account.last_poll_error:
            text = gettext("Polling for “%(account)s” failed: %(error)s")
            said.append(text % {"account": account.name, "error": account.last_poll_error})
    polled = max((account.last_poll_at for account in accounts if account.last_poll_at), default=None)
    if overdue and (polled is None or now - polled > OVERDUE_AFTER):
        said.append(gettext("Messages are overdue and are not polled. Run poll_dlrs every minute."))
    counted = statistics.last_updated_at()
    if counted is None or now - counted > STALE:
        said.append(
            gettext("These figures are out of date. poll_dlrs updates them regularly; the button updates them now.")
        )
    return said


def _silence(account: Account, bars: Sequence[Bucket]) -> str:
    if account.last_callback_at is None or account.last_callback_at < bars[0].starts_at:  # no older ones were counted
        return gettext(
            "No callback for “%(account)s” was received in the last 24 hours, although %(count)d messages were sent. "
            "Check that Messente can reach this site."
        )
    return gettext(
        "Callbacks for “%(account)s” have stopped: %(count)d messages were sent since the last callback. Check that "
        "Messente can reach this site."
    )


def _older(moment: datetime | None, now: datetime) -> bool:
    return moment is None or now - moment > CALLBACK_PATIENCE


def _sent_since(moment: datetime | None, account: str, bars: Sequence[Bucket]) -> int:
    # The present hour is left out: its messages' reports may be on their way.
    whole = [bar for bar in bars[:-1] if moment is None or bar.starts_at > moment]
    return sum(bar.count.by_account[account].total() for bar in whole if account in bar.count.by_account)
