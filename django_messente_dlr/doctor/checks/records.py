"""What do the rows say? Whether reports come, whether somebody polls, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.doctor.findings import Finding, error, ok, warning
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.querysets import capped_count
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER

CAP = 10_000  # a person who is told of more need not know how many more
CALLED_WITHIN = timedelta(days=1)


def check_records() -> Iterator[Finding]:
    """Yield findings about the rows."""
    yield from _check_messages()
    yield from _check_reports()
    rows = {account.name: account for account in Account.objects.all()}
    for name in conf.accounts():
        yield from _check_account(name, rows.get(name) or Account(name=name))


def _check_messages() -> Iterator[Finding]:
    now = timezone.now()
    pending = capped_count(SmsMessage.objects.pending(), cap=CAP)
    late = SmsMessage.objects.overdue(now)
    if late.exists():
        overdue = capped_count(late, cap=CAP)
        told = f"{pending} messages are pending, and {overdue} of them should have been asked about long ago."
        yield warning("messages", told, "Have poll_dlrs run every minute; see its exit status and the log.")
    else:
        yield ok("messages", f"{pending} messages are pending, and none is overdue.")
    foreign = PendingPoll.objects.exclude(account__in=list(conf.accounts()))
    if name := foreign.values_list("account", flat=True).first():
        number = capped_count(foreign, cap=CAP)
        told = f"{number} messages are pending of accounts that are not configured, such as {name}."
        advice = f"Nobody asks about them. Put the account back into {conf.SETTING} until they have ended."
        yield warning("messages", told, advice)


def _check_reports() -> Iterator[Finding]:
    reports = DeliveryReport.objects
    told: list[tuple[QuerySet[Any], str, str]] = [
        (
            reports.orphans(),
            "are about messages that are not known here",
            "If another program sends from this account, give it track_sms; otherwise prune_dlrs takes them away.",
        ),
        (
            reports.dispatch_due(timezone.now()),
            "have signals that a process has left unsent",
            "poll_dlrs sends them: have it run every minute.",
        ),
        (
            reports.dispatch_failed(),
            "have a receiver that raised",
            "Look at them in the admin, mend the receiver, and send their signals again.",
        ),
    ]
    well = True
    for rows, what, advice in told:
        if rows.exists():
            well = False
            yield warning("reports", f"{capped_count(rows, cap=CAP)} reports {what}.", advice)
    if well:
        yield ok("reports", "Every report has its message, and its signals were sent.")


def _check_account(name: str, row: Account) -> Iterator[Finding]:
    topic, now = f"account {name}", timezone.now()
    if row.credits_exhausted_at:
        yield error(topic, f"It is on hold since {row.credits_exhausted_at:%Y-%m-%d %H:%M %Z}.", "Add credit.")
    if row.last_poll_error:
        yield error(topic, f"Its last poll failed: {row.last_poll_error}", "Put that right, and run poll_dlrs.")
    elif row.last_poll_at is None or now - row.last_poll_at > OVERDUE_AFTER:
        when = f"since {row.last_poll_at:%Y-%m-%d %H:%M %Z}" if row.last_poll_at else "at all"
        yield warning(topic, f"It was not polled {when}.", "Have poll_dlrs run every minute, by cron or systemd.")
    else:
        yield ok(topic, f"It was polled at {row.last_poll_at:%Y-%m-%d %H:%M %Z}.")
    # Old enough for its report to have come, young enough to say something of today.
    sent = SmsMessage.objects.filter(account=name, created_at__gt=now - CALLED_WITHIN)
    if row.last_callback_at and now - row.last_callback_at <= CALLED_WITHIN:
        yield ok(topic, f"Messente called at {row.last_callback_at:%Y-%m-%d %H:%M %Z}.")
    elif conf.get_config().callback_base_url and sent.filter(created_at__lt=now - OVERDUE_AFTER).exists():
        told = "Messages were sent within the last day, but Messente did not call about them."
        yield warning(topic, told, "Look into the web server's log, and whether a firewall keeps Messente away.")
    else:
        yield ok(topic, "Nothing was sent of which Messente should have told by a callback.")
