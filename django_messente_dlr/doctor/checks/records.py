"""Check the stored rows: whether reports arrive, whether a poller runs, and which rows need a person's attention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 - Django's name
from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch
from django_messente_dlr.models import Account
from django_messente_dlr.models.querysets import IS_PREPARED, capped_count
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER
from django_messente_dlr.utils.times import elapsed, shift

CAP = 10_000  # rows are counted up to this number: a higher count takes long and changes no decision
CALLBACK_EXPECTED_WITHIN = timedelta(days=1)
TIME_FORMAT = "%Y-%m-%d %H:%M %Z"


def check_records() -> Iterator[CheckMessage]:
    """Yield findings about messages, reports and accounts."""
    yield from _check_messages()
    yield from _check_reports()
    stored = {account.name: account for account in accounts.account_rows()}
    for name in conf.accounts():
        account = stored.get(name) or Account(name=name)
        yield from _check_polls(account)
        yield from _check_account_callbacks(account)


def _check_messages() -> Iterator[CheckMessage]:
    topic = "messages"
    pending = capped_count(lookup.messages().pending(), cap=CAP)
    overdue = lookup.messages().overdue(timezone.now())
    if overdue.exists():
        yield Warning(
            f"{pending} messages are pending, and {capped_count(overdue, cap=CAP)} of them are overdue.",
            hint="Run poll_dlrs every minute; check its exit status and the log.",
            obj=topic,
            id="django_messente_dlr.doctor.D041",
        )
    else:
        yield Info(
            f"{pending} messages are pending, and none is overdue.", obj=topic, id="django_messente_dlr.doctor.D042"
        )
    unconfigured = lookup.pending().exclude(account__in=list(conf.accounts()))
    if name := unconfigured.values_list("account", flat=True).first():
        yield Warning(
            f"{capped_count(unconfigured, cap=CAP)} messages are pending whose accounts are not configured, "
            f"such as {name}.",
            hint="No poller requests their reports, and a report by POST is answered 403. Add the account to "
            f"{conf.SETTING} again, under this name, until they are final.",
            obj=topic,
            id="django_messente_dlr.doctor.D043",
        )


def _check_reports() -> Iterator[CheckMessage]:
    topic, now = "reports", timezone.now()
    # Deferred signals are due at once. The process that sends them is late only after a while.
    overdue_at = shift(now, -dispatch.DISPATCH_LEASE) if dispatch.is_deferred() else now
    problems: list[tuple[QuerySet[Any], str, str, str]] = [
        (
            lookup.reports().orphans(),
            "are about unknown messages",
            "Record the messages of other programs by track_sms; otherwise prune_dlrs deletes the reports.",
            "D044",
        ),
        (
            lookup.reports().dispatch_due(overdue_at),
            "have signals that a process did not send",
            "Run poll_dlrs every minute, or dispatch_dlrs: they send them.",
            "D045",
        ),
        (
            lookup.reports().dispatch_failed(),
            "have a receiver that raised an exception",
            "View them in the admin, correct the receiver, and send their signals again.",
            "D046",
        ),
    ]
    passed = True
    for reports, problem, hint, number in problems:
        if reports.exists():
            passed = False
            yield Warning(
                f"{capped_count(reports, cap=CAP)} reports {problem}.",
                hint=hint,
                obj=topic,
                id=f"django_messente_dlr.doctor.{number}",
            )
    if passed:
        yield Info(
            "Every report has its message, and its signals are sent.", obj=topic, id="django_messente_dlr.doctor.D047"
        )


def _check_polls(account: Account) -> Iterator[CheckMessage]:
    topic = f"account {account.name}"
    last_poll_at = account.last_poll_at
    if account.credits_exhausted_at:
        yield Error(
            f"The account is {accounts.describe_hold(account)}.",
            hint="Add credit, and run poll_dlrs. If there is credit, lift the hold in the admin, and check whether "
            "the reports with err 4 are Messente's.",
            obj=topic,
            id="django_messente_dlr.doctor.D051",
        )
    if account.last_poll_error:
        yield Error(
            f"The last poll failed: {account.poll_error_description}",
            hint="Correct the cause, and run poll_dlrs.",
            obj=topic,
            id="django_messente_dlr.doctor.D052",
        )
    elif last_poll_at is None or elapsed(last_poll_at, timezone.now()) > OVERDUE_AFTER:
        yield Warning(
            f"The account was not polled since {last_poll_at:{TIME_FORMAT}}."
            if last_poll_at
            else "The account was never polled.",
            hint="Run poll_dlrs every minute, by cron or systemd.",
            obj=topic,
            id="django_messente_dlr.doctor.D053",
        )
    else:
        yield Info(
            f"The last poll was at {last_poll_at:{TIME_FORMAT}}.", obj=topic, id="django_messente_dlr.doctor.D054"
        )


def _check_account_callbacks(account: Account) -> Iterator[CheckMessage]:
    topic, now = f"account {account.name}", timezone.now()
    last_callback_at = account.last_callback_at
    if last_callback_at and elapsed(last_callback_at, now) <= CALLBACK_EXPECTED_WITHIN:
        yield Info(
            f"The last callback arrived at {last_callback_at:{TIME_FORMAT}}.",
            obj=topic,
            id="django_messente_dlr.doctor.D055",
        )
        return
    # A younger message may still wait for its report; an older one proves nothing about the last day.
    sent = lookup.messages().exclude(IS_PREPARED)
    sent = sent.filter(
        account=account.name,
        created_at__gt=shift(now, -CALLBACK_EXPECTED_WITHIN),
        created_at__lt=shift(now, -OVERDUE_AFTER),
    )
    if conf.get_config().callback_base_url and sent.exists():
        yield Warning(
            "Messages were sent within the last day, but no callback arrived.",
            hint="Check the web server's log, and whether a firewall blocks Messente.",
            obj=topic,
            id="django_messente_dlr.doctor.D056",
        )
    else:
        yield Info("No callback is expected.", obj=topic, id="django_messente_dlr.doctor.D057")
