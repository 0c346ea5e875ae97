"""Check the send queue: whether a worker sends what is due, and which messages need a person's decision."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Info, Warning  # noqa: A004 - Django's name
from django.utils import timezone

from django_messente_dlr import accounts, conf
from django_messente_dlr.doctor.checks.records import CAP, TIME_FORMAT
from django_messente_dlr.models.querysets import capped_count
from django_messente_dlr.sending.queue.claims import queue
from django_messente_dlr.sending.queue.monitoring import AccountQueue, account_queue
from django_messente_dlr.utils.times import elapsed

TOPIC = "queue"


def check_queue() -> Iterator[CheckMessage]:
    """Yield findings about the messages in the send queue."""
    now = timezone.now()
    paused = accounts.paused_accounts()
    numbers = [account_queue(queue(), name, now=now, cap=CAP) for name in conf.accounts()]
    for account in numbers:
        if account.is_late and account.account not in paused:
            yield _late(account)
    unconfigured = queue().filter(attempted_at=None).exclude(account__in=list(conf.accounts()))
    if name := unconfigured.values_list("account", flat=True).first():
        yield Warning(
            f"{capped_count(unconfigured, cap=CAP)} queued messages are of accounts that are not configured, "
            f"such as {name}.",
            hint=f"No worker sends them. Add the account to {conf.SETTING} again, under this name, or cancel them.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D073",
        )
    unknown = queue().unknown(now)
    if unknown.exists():
        yield Warning(
            f"The outcome of sending {capped_count(unknown, cap=CAP)} messages is unknown.",
            hint="They are never sent again automatically. View them in the admin (filter: unknown outcome): a "
            "delivery report settles them, or you decide.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D074",
        )
    yield _waiting(numbers, paused)


def _late(account: AccountQueue) -> CheckMessage:
    assert account.oldest_due_at is not None
    minutes = int(elapsed(account.oldest_due_at, timezone.now()).total_seconds() // 60)
    return Warning(
        f"{account.due} queued messages of account {account.account} are due, the first of them since "
        f"{account.oldest_due_at:{TIME_FORMAT}} ({minutes} minutes).",
        hint="Run send_queued --watch as a service, or send_queued every minute; check its exit status and the log. "
        "If it runs, the queue is longer than it can send: raise QUEUE_RATE, or set QUEUE_BULK.",
        obj=TOPIC,
        id="django_messente_dlr.doctor.D071",
    )


def _waiting(numbers: list[AccountQueue], paused: set[str]) -> CheckMessage:
    """Return the numbers of all accounts as one finding."""
    waiting = [f"{account.account} {account.waiting} ({account.due} due)" for account in numbers if account.waiting]
    text = f"Messages wait in the send queue: {', '.join(waiting)}." if waiting else "No message waits to be sent."
    held = sorted(account.account for account in numbers if account.waiting and account.account in paused)
    if held:
        text += f" Those of {', '.join(held)} wait for the end of the credit hold."
    return Info(text, obj=TOPIC, id="django_messente_dlr.doctor.D072")
