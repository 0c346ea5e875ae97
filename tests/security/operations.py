"""Each public function, method of the client, command and admin action, called with the number of a recipient.

`tests.security.test_staging` calls each of them, and fails if one is missing here.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from django.utils import timezone

from django_messente_dlr import sending
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.exceptions import CancelRefused, MessageNotSent, MessenteError, OutcomeUnknown
from django_messente_dlr.models import Account, DeliveryReport, MessageStatistics, QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import Sms, Viber
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import act, list_url

# What an operation may raise if it sends nothing.
REFUSALS = (MessageNotSent, MessenteError, OutcomeUnknown, CancelRefused, ValueError, CommandError, SystemExit)
TEXT = "Tere"
ids = (f"id-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Site:
    """The site under test: the sandbox of Messente, and a superuser's browser."""

    sandbox: Sandbox
    browser: Client


Operation = Callable[[Site, Any], object]


def row(number: Any, **attributes: Any) -> SmsMessage:
    """Create a message that other code or an older version has stored, with the number as it was given."""
    message: SmsMessage = SmsMessageFactory.create(recipient=str(number)[:32], text=TEXT, **attributes)
    return message


def scheduled(number: Any) -> SmsMessage:
    return row(number, send_at=timezone.now() + timedelta(days=1))


def failed(number: Any) -> SmsMessage:
    return row(number, status=Status.FAILED)


def prepare_and_send_elsewhere(site: Site, number: Any) -> None:
    """Send a message of `prepare_sms` by a client that this app does not know."""
    recipient = sending.prepare_sms(number).recipient
    form = {"username": "shop", "password": "a-password", "to": recipient, "text": TEXT}
    requests.post(f"{site.sandbox.url}/send_sms/", data=form, timeout=10)


def run(name: str, *arguments: Any, **options: Any) -> None:
    call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO(), **options)


def queue_and_send(queue: Callable[[Any], object]) -> Operation:
    """Return the operation that queues a message, and sends what is queued."""

    def operation(_: Site, number: Any) -> None:
        queue(number)
        run("send_queued")

    return operation


def send_queued(_: Site, number: Any) -> None:
    """Send a message that was queued before the settings or the number changed."""
    content = {"api": "sms", "channels": [{"channel": "sms", "text": TEXT}]}
    message = row(number, prepared=True)
    QueuedMessage.objects.create(message=message, account="default", content=content, due_at=timezone.now())
    run("send_queued")


# The names of `django_messente_dlr.sending` that are functions, but `message_parts`.
FUNCTIONS: dict[str, Operation] = {
    "aqueue_message": queue_and_send(lambda number: async_to_sync(sending.aqueue_message)(number, [Sms(TEXT)])),
    "aqueue_sms": queue_and_send(lambda number: async_to_sync(sending.aqueue_sms)(number, TEXT)),
    "aresend": lambda _, number: async_to_sync(sending.aresend)(failed(number)),
    "asend_message": lambda _, number: async_to_sync(sending.asend_message)(number, [Sms(TEXT)]),
    "asend_sms": lambda _, number: async_to_sync(sending.asend_sms)(number, TEXT),
    "cancel": lambda _, number: sending.cancel(scheduled(number)),
    "mark_failed": lambda _, number: sending.mark_failed(sending.prepare_sms(number), "refused"),
    "mark_sent": lambda _, number: sending.mark_sent(sending.prepare_sms(number), next(ids)),
    "message_parts": lambda _, number: sending.message_parts(str(number)),
    "prepare_sms": prepare_and_send_elsewhere,
    "queue_many": queue_and_send(lambda number: sending.queue_many([{"to": number, "text": TEXT}])),
    "queue_message": queue_and_send(lambda number: sending.queue_message(number, [Viber(TEXT), Sms(TEXT)])),
    "queue_sms": queue_and_send(lambda number: sending.queue_sms(number, TEXT)),
    "resend": lambda _, number: sending.resend(failed(number)),
    "send_message": lambda _, number: sending.send_message(number, [Viber(TEXT, ttl=60), Sms(TEXT)]),
    # Not prepare_sms, which refuses the number: the settings may have changed since.
    "send_prepared": lambda _, number: sending.send_prepared(
        row(number, prepared=True), [Sms(TEXT)] if str(number).startswith("+") else TEXT
    ),
    "send_sms": lambda _, number: sending.send_sms(number, TEXT),
    "track_sms": lambda _, number: sending.track_sms(next(ids), recipient=number),
}


def omnimessage(number: Any) -> dict[str, Any]:
    return {"to": number, "messages": [{"channel": "sms", "text": TEXT}]}


# The public methods of `MessenteClient`, which a project's own backend may call.
CLIENT: dict[str, Operation] = {
    "cancel": lambda _, number: client_for("default").cancel(str(number)),
    "cancel_omnimessage": lambda _, number: client_for("default").cancel_omnimessage(str(number)),
    "close": lambda _, number: client_for("default").close(),
    "get_balance": lambda _, number: client_for("default").get_balance(),
    "get_omnimessage_status": lambda _, number: client_for("default").get_omnimessage_status(str(number)),
    "get_report": lambda _, number: client_for("default").get_report(str(number)),
    "send": lambda _, number: client_for("default").send(str(number), TEXT),
    "send_omnimessage": lambda _, number: client_for("default").send_omnimessage(omnimessage(number)),
    "send_omnimessages": lambda _, number: client_for("default").send_omnimessages(
        [omnimessage("+37255500000"), omnimessage(number)]
    ),
}


def poll(_: Site, number: Any) -> None:
    row(number, next_poll_at=timezone.now())
    run("poll_dlrs")


def dispatch(_: Site, number: Any) -> None:
    DeliveryReportFactory.create(message=row(number), dispatched_at=None, dispatch_due_at=timezone.now())
    run("dispatch_dlrs")


# The files of `management/commands`; None for a command that runs a server.
COMMANDS: dict[str, Operation | None] = {
    "dispatch_dlrs": dispatch,
    "erase_recipient": lambda _, number: run("erase_recipient", str(number), interactive=False),
    "messente_doctor": lambda _, number: run("messente_doctor", send=str(number)),
    "messente_sandbox": None,
    "poll_dlrs": poll,
    "prune_dlrs": lambda _, number: run("prune_dlrs", older_than=30),
    "send_queued": send_queued,
}


def click(action: str, create: Callable[[Any], models.Model]) -> Operation:
    """Return the operation of an action: it is chosen for a row, and confirmed."""
    return lambda site, number: act(site.browser, action, create(number), confirmed="yes")


def report(number: Any) -> DeliveryReport:
    created: DeliveryReport = DeliveryReportFactory.create(message=failed(number))
    return created


def account(_: Any) -> Account:
    Account.objects.filter(name="default").delete()
    created: Account = AccountFactory.create(held=True)
    return created


# The actions and buttons of the admin.
ADMIN: dict[str, Operation] = {
    "Account.check_balance": click("check_balance", account),
    "Account.lift_credit_hold": click("lift_credit_hold", account),
    "DeliveryReport.send_signals_again": click("send_signals_again", report),
    "MessageStatistics.refresh": lambda site, number: site.browser.post(list_url(MessageStatistics)),
    "SmsMessage.cancel": click("cancel", scheduled),
    "SmsMessage.erase": click("erase", row),
    "SmsMessage.export": click("export", row),
    "SmsMessage.poll_now": click("poll_now", row),
    "SmsMessage.resend": click("resend", failed),
}

TABLES: dict[str, Mapping[str, Operation | None]] = {
    "function": FUNCTIONS,
    "client": CLIENT,
    "command": COMMANDS,
    "admin": ADMIN,
}
OPERATIONS: dict[str, Operation] = {
    f"{group} {name}": operation
    for group, table in TABLES.items()
    for name, operation in table.items()
    if operation is not None
}
# Those that send a message to an allowed number.
SENDING = {
    *(f"function {name}" for name in ("asend_message", "asend_sms", "prepare_sms", "send_message", "send_prepared")),
    *(f"function {name}" for name in ("aresend", "resend", "send_sms", "aqueue_message", "aqueue_sms", "queue_many")),
    *("function queue_message", "function queue_sms", "command send_queued"),
    *("client send", "client send_omnimessage", "client send_omnimessages"),
    *("command messente_doctor", "admin SmsMessage.resend"),
}


def attempt(site: Site, name: str, number: Any) -> None:
    """Call an operation with a number, which may refuse it."""
    with suppress(*REFUSALS):
        OPERATIONS[name](site, number)
