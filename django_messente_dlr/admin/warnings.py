"""The warnings of the overview: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext

from django_messente_dlr import conf
from django_messente_dlr.admin.statistics import Bucket
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, QueuedMessage, ReportOutcome, SmsMessage
from django_messente_dlr.models.querysets import CappedCount, capped_count, filter_partial_index
from django_messente_dlr.sending.queue.monitoring import AccountQueue, account_queue
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER
from django_messente_dlr.utils.times import elapsed

# With fewer messages than this, the absence of a callback can be chance.
MIN_SENT_WITHOUT_CALLBACK = 5
CALLBACK_SILENCE = timedelta(hours=1)
STATISTICS_MAX_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogCounts:
    """Numbers of messages and reports that need attention, each counted up to a cap.

    Attributes:
        pending: messages without a final status.
        overdue: messages whose poll is overdue.
        orphans: reports without a message.
        unreadable: reports without a recognised status.
        undispatched: reports whose signals are not sent yet.
        receivers_failed: reports for which a receiver failed.
        unknown_outcomes: queued messages that Messente may have, and whose outcome is unknown.
        queues: the numbers of the accounts that have messages in the queue, by name.
    """

    pending: CappedCount
    overdue: CappedCount
    orphans: CappedCount
    unreadable: CappedCount
    undispatched: CappedCount
    receivers_failed: CappedCount
    unknown_outcomes: CappedCount
    queues: Mapping[str, AccountQueue]


def count_backlog(now: datetime, accounts: Iterable[str] = ()) -> BacklogCounts:
    """Return the numbers at the time ``now``.

    Args:
        now: the current time.
        accounts: the names of the accounts with a queue.
    """
    reports, queue = DeliveryReport.objects.all(), QueuedMessage.objects.all()
    # Most pages are shown while the queue is empty, and then need one statement for all accounts.
    names = sorted(accounts) if queue.filter(attempted_at=None).exists() else []
    numbers = [account_queue(queue, name, now=now) for name in names]
    queues = {number.account: number for number in numbers if number.waiting}
    return BacklogCounts(
        pending=capped_count(SmsMessage.objects.pending()),
        overdue=capped_count(SmsMessage.objects.overdue(now)),
        orphans=capped_count(reports.orphans()),
        unreadable=capped_count(filter_partial_index(reports, "outcome", ReportOutcome.UNREADABLE)),
        undispatched=capped_count(reports.undispatched()),
        receivers_failed=capped_count(reports.dispatch_failed()),
        unknown_outcomes=capped_count(QueuedMessage.objects.unknown(now)),
        queues=queues,
    )


def warnings(
    accounts: Sequence[Account], bars: Sequence[Bucket], backlog: BacklogCounts, *, now: datetime
) -> list[str]:
    """Return the warnings, one or two sentences each.

    Args:
        accounts: all accounts.
        bars: the buckets of the last 24 hours, one per hour.
        backlog: the numbers of messages.
        now: the current time.
    """
    texts = []
    unconfigured = [account.name for account in accounts if account.name not in conf.accounts()]
    with_pending_polls = set(
        PendingPoll.objects.filter(account__in=unconfigured).values_list("account", flat=True).distinct()
    )
    for account in accounts:
        if account.name in unconfigured:
            # The app sends and polls nothing for an account that is not configured. Its row keeps the last error.
            if account.name in with_pending_polls:
                text = gettext(
                    "The account “%(account)s” is not configured, so its pending messages cannot be polled. Restore "
                    "it in the settings until these messages are final."
                )
                texts.append(text % {"account": account.name})
            continue
        sent = _sent_since(account.last_callback_at, account.name, bars)
        is_silent = sent >= MIN_SENT_WITHOUT_CALLBACK and _is_silent(account.last_callback_at, now)
        if conf.get_config().callback_base_url and is_silent:
            texts.append(_silence_warning(account, bars) % {"account": account.name, "count": sent})
        if account.last_poll_error:
            text = gettext("Polling for “%(account)s” failed: %(error)s")
            texts.append(text % {"account": account.name, "error": account.poll_error_description})
    polled = max((account.last_poll_at for account in accounts if account.last_poll_at), default=None)
    if backlog.overdue and (polled is None or elapsed(polled, now) > OVERDUE_AFTER):
        texts.append(gettext("Messages are overdue and are not polled. Run poll_dlrs every minute."))
    texts += _queue_warnings(backlog, held={account.name for account in accounts if account.credits_exhausted_at})
    updated_at = statistics.last_updated_at()
    if updated_at is None or elapsed(updated_at, now) > STATISTICS_MAX_AGE:
        texts.append(
            gettext("These figures are out of date. poll_dlrs updates them regularly; the button updates them now.")
        )
    return texts


def _queue_warnings(backlog: BacklogCounts, *, held: Collection[str]) -> list[str]:
    """Return the warnings about messages that no worker sends, and about unknown outcomes."""
    texts = []
    for name, queue in backlog.queues.items():
        if name not in conf.accounts():
            text = gettext(
                "The account “%(account)s” is not configured, so its queued messages are not sent. Restore it in the "
                "settings, or cancel them."
            )
            texts.append(text % {"account": name})
        elif queue.is_late and name not in held:
            text = gettext(
                "Queued messages of “%(account)s” are late. Run send_queued every minute, or as a service, and read "
                "its log."
            )
            texts.append(text % {"account": name})
    if backlog.unknown_outcomes:
        texts.append(
            gettext(
                "The outcome of sending some messages is unknown. They are never sent again automatically; open them "
                "to decide."
            )
        )
    return texts


def _silence_warning(account: Account, bars: Sequence[Bucket]) -> str:
    # Older buckets are not loaded.
    if account.last_callback_at is None or account.last_callback_at < bars[0].starts_at:
        return gettext(
            "No callback for “%(account)s” was received in the last 24 hours, although %(count)d messages were sent. "
            "Check that Messente can reach this site."
        )
    return gettext(
        "Callbacks for “%(account)s” have stopped: %(count)d messages were sent since the last callback. Check that "
        "Messente can reach this site."
    )


def _is_silent(moment: datetime | None, now: datetime) -> bool:
    return moment is None or elapsed(moment, now) > CALLBACK_SILENCE


def _sent_since(moment: datetime | None, account: str, bars: Sequence[Bucket]) -> int:
    # Without the current hour: the reports of its messages may still arrive.
    buckets = [bar for bar in bars[:-1] if moment is None or bar.starts_at > moment]
    return sum(bar.count.by_account[account].total() for bar in buckets if account in bar.count.by_account)
