"""Cause every failure that the package handles, and record each text and exception that results.

The failures of Messente use real sockets.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from django.test import Client, override_settings
from django.utils import timezone

from django_messente_dlr import accounts, callbacks, dispatch, polling, receiving, sending, signals
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.maintenance import sweep
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import queue_sms, send_sms
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import record_signals
from tests.integration.messente_sockets.wire import Behaviour, Connection, Wire, hanging_up, raw, resetting, silent
from tests.security.wsgi import Request, WSGIClient
from tests.unit.admin.pages import MODELS, act, list_url, page_url
from tests.unit.polling.rows import WINDOW

USERNAME, PASSWORD, OLD_PASSWORD, OTHER_PASSWORD = "shop", "pä§$word&=+ 1", "0ld/p%ss<word>", 'marketing\'s "pass"'
UNREACHABLE_HOST = "http://127.0.0.1:9"
IN_URL = "a-password-in-a-url"
COMMAND = "django_messente_dlr.management.commands.poll_dlrs"
BODY = json.dumps({"message_id": "an-id", "status": "DELIVRD"}).encode()


def response(line: str, *headers: str, body: str = "") -> bytes:
    head = [f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body.encode())}", "Connection: close", "", ""]
    return "\r\n".join(head).encode() + body.encode()


def refuse_push(report_pk: int | None) -> None:
    """Fail as a task queue does whose broker is down."""
    raise ConnectionRefusedError("gone")


def status(line: str, *headers: str) -> Behaviour:
    return raw(response(line, *headers))


def ok(body: str) -> Behaviour:
    return raw(response("200 OK", body=body))


def echoing(before: str = "") -> Behaviour:
    """Respond with the body of the request, as the error page of a proxy or a debugging page may do."""

    def behave(wire: Wire, connection: Connection) -> None:
        payload = (connection.request() or b"").partition(b"\r\n\r\n")[2].decode()
        connection.sock.sendall(response("200 OK", body=before + payload))

    return behave


# What a caller of Messente may receive instead of a usable response.
BEHAVIOURS: dict[str, Behaviour] = {
    "hangs up": hanging_up,
    "resets": resetting,
    "is silent": silent,
    "not HTTP": raw(b"\0\1\2"),
    "ends early": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nOK"),
    "redirects": status("302 Found", "Location: http://127.0.0.1:9/?password=x"),
    "no content": status("204 No Content"),
    "HTTP 401": status("401 Unauthorized"),
    "HTTP 404": status("404 Not Found"),
    "HTTP 429": status("429 Too Many", "Retry-After: 0"),
    "HTTP 500": status("500 Oh"),
    "HTTP 407": status("407 Proxy Authentication Required"),
    "empty body": ok(""),
    "HTML": ok("<html>"),
    **{
        word: ok(word)
        for word in (
            "ERROR 101",
            "ERROR 102",
            "ERROR 103",
            "ERROR 107",
            "FAILED 102",
            "FAILED 209",
            "OK",
            "OK SENT",
        )
    },
    "echoes": echoing(),
    "refuses and echoes": echoing("ERROR 102 "),
}


class FailureRun:
    """Create rows, run code that fails, and record all output.

    Attributes:
        texts: the text of responses, admin pages and the output of commands.
        exceptions: the exceptions that reached the caller.
        signatures: the signatures of the bodies that were posted.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.wsgi = WSGIClient()
        self.texts: list[str] = []
        self.exceptions: list[BaseException] = []
        self.signatures: list[str] = []

    def create_message(self, **attributes: Any) -> SmsMessage:
        message: SmsMessage = SmsMessageFactory.create(**{"next_poll_at": timezone.now(), **attributes})
        return message

    def create_reported_message(self) -> SmsMessage:
        """Create a message with the id that the posted bodies contain."""
        SmsMessage.objects.filter(sms_unique_id="an-id").update(sms_unique_id=None)
        return self.create_message(sms_unique_id="an-id")

    def attempt(self, call: Callable[[], object]) -> None:
        """Call a function, and record its result or its exception."""
        try:
            self.texts.append(str(call()))
        except Exception as exc:  # noqa: BLE001 - the test examines every exception
            self.exceptions.append(exc)

    def run_command(self, name: str, **options: Any) -> None:
        """Run a management command, and record its output."""
        out = io.StringIO()
        try:
            self.attempt(lambda: call_command(name, stdout=out, stderr=out, **options))
        except SystemExit as exc:
            self.texts.append(str(exc))
        # messente_doctor prints one secret on purpose: its user copies it to Messente's dashboard.
        self.texts.append(
            "\n".join(line for line in out.getvalue().splitlines() if "For Messente's dashboard" not in line)
        )

    def send(self, request: Request) -> None:
        """Send a request to the callback view, and record the response."""
        response = self.wsgi.send(request)
        self.texts.append(f"{response.status} {response.headers} {response.body!r}")

    def callback(
        self, message: SmsMessage, query: str = "stat=DELIVRD", *, method: str = "GET", **headers: str
    ) -> None:
        """Send a request to the callback URL of a message."""
        path = urlsplit(message.callback_url).path.encode()
        self.send(Request(method=method, path=path, query=query.encode(), headers=headers))

    def post(self, path: str, body: bytes = BODY, *, password: str = PASSWORD) -> None:
        """Post a body, signed with a password."""
        self.signatures.append(sign(body, password))
        headers = {"HTTP_X_MESSENTE_SIGNATURE": self.signatures[-1], "CONTENT_TYPE": "application/json"}
        self.send(Request(method="POST", path=path.encode(), body=body, length=str(len(body)), headers=headers))


Failure = Callable[[FailureRun], None]
FAILURES: dict[str, Failure] = {}


def failure(function: Failure) -> Failure:
    FAILURES[function.__name__] = function
    return function


@contextmanager
def use_messente(host: str, **changes: Any) -> Iterator[None]:
    """Configure a host as the only address of Messente."""
    values = {**settings.MESSENTE_DLR, "API_HOSTS": [host], "OMNICHANNEL_URL": f"{host}/v1", "READ_TIMEOUT": 0.2}
    with override_settings(MESSENTE_DLR={**values, **changes}):
        yield


def call_messente(run: FailureRun) -> None:
    """Send every request that the package sends to Messente."""
    Account.objects.update(credits_exhausted_at=None)
    run.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))
    wrong_arguments: dict[str, Any] = {"password": PASSWORD}
    run.attempt(lambda: send_sms("+37255500000", "Your parcel is here", **wrong_arguments))
    queue_and_send(run)
    run.attempt(lambda: polling.poll_now([run.create_message(), run.create_message(omnimessage_id="an-omnimessage")]))
    for ids in ({}, {"omnimessage_id": "an-omnimessage"}):
        run.attempt(lambda ids=ids: sending.cancel(run.create_message(**ids)))  # type: ignore[misc]
    run.create_message()
    run.run_command("poll_dlrs", concurrency=1)
    for call in (
        lambda c: c.get_balance(),
        lambda c: c.cancel("an-id"),
        lambda c: c.get_report("an-id"),
        lambda c: c.get_omnimessage_status("x"),
    ):
        run.attempt(lambda call=call: call(client_for("default")))  # type: ignore[misc]
    AccountFactory.create(held=True)
    sweep.sweep()
    run.run_command("messente_doctor")


def queue_and_send(run: FailureRun) -> None:
    """Queue a message, and send it in this process."""
    run.attempt(lambda: queue_sms("+37255500000", "Your parcel is here"))
    run.run_command("send_queued", concurrency=1)


@failure
def messente_fails(run: FailureRun) -> None:
    for behave in BEHAVIOURS.values():
        with Wire(behave) as wire, use_messente(wire.host):
            call_messente(run)
            SmsMessage.objects.all().delete()


@failure
def messente_cannot_be_reached(run: FailureRun) -> None:
    with use_messente(UNREACHABLE_HOST):
        call_messente(run)


@failure
def first_host_hangs_up(run: FailureRun) -> None:
    with (
        Wire(hanging_up) as first,
        Wire(ok("ERROR 107")) as second,
        use_messente(first.host, API_HOSTS=[first.host, second.host]),
    ):
        run.attempt(lambda: sending.cancel(run.create_message()))


@failure
def database_fails(run: FailureRun) -> None:
    def fail(*args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    message = run.create_reported_message()
    with connection.execute_wrapper(fail):
        run.post("/messente/dlr/")
        run.callback(message)
        run.run_command("poll_dlrs")
        run.run_command("prune_dlrs")
    DeliveryReportFactory.create(
        message=None, token_message_id=message.pk, token_created_at=message.created_at, dispatch_due_at=timezone.now()
    )
    with mock.patch.object(dispatch.send, "dispatch_report", side_effect=OperationalError("gone")):
        dispatch.dispatch_overdue()
    with mock.patch("django_messente_dlr.receiving.orphans.match_orphan", side_effect=OperationalError("gone")):
        receiving.match_orphans()
    with mock.patch.object(accounts, "record_callback", side_effect=InterfaceError("gone")):
        run.callback(message)
    with mock.patch.object(dispatch.send, "mark_dispatched", side_effect=OperationalError("gone")):
        run.callback(message)
    deferred = {"DISPATCH": "deferred", "DISPATCH_PUSH": f"{__name__}.refuse_push"}
    with override_settings(MESSENTE_DLR={**settings.MESSENTE_DLR, **deferred}), record_signals():
        run.callback(run.create_reported_message())
    with (
        mock.patch("django_messente_dlr.sending.mark.confirm", side_effect=OperationalError("gone")),
        Wire(ok("OK an-id-2")) as wire,
        use_messente(wire.host),
    ):
        run.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))
    with (
        mock.patch.object(receiving, "record_final", side_effect=OperationalError("gone")),
        Wire(ok("ERROR 111")) as wire,
        use_messente(wire.host),
    ):
        run.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))
    with (
        mock.patch.object(receiving, "record_final", side_effect=OperationalError("gone")),
        Wire(ok("OK DELETED")) as wire,
        use_messente(wire.host),
    ):
        run.attempt(lambda: sending.cancel(run.create_message()))


@failure
def polling_fails(run: FailureRun) -> None:
    run.create_message(account="gone")
    with (
        Wire(ok("OK DELIVERED")) as wire,
        use_messente(wire.host),
        mock.patch.object(receiving, "record", side_effect=receiving.WriteConflict("It kept changing.")),
    ):
        run.create_message()
        run.run_command("poll_dlrs", concurrency=1)
    with mock.patch.object(receiving, "record_final", side_effect=receiving.WriteConflict("It kept changing.")):
        run.create_message(queued=True, created_at=timezone.now() - WINDOW)
        run.run_command("poll_dlrs", concurrency=1)
    with (
        mock.patch(f"{COMMAND}.Poller.run", side_effect=[OperationalError("gone"), KeyboardInterrupt]),
        mock.patch("django_messente_dlr.management.connections.connections.close_all"),
        suppress(KeyboardInterrupt),
    ):
        run.run_command("poll_dlrs", watch=0.01)


@failure
def queue_fails(run: FailureRun) -> None:
    results = "django_messente_dlr.sending.queue.results"
    gone, conflict = OperationalError("gone"), receiving.WriteConflict("It kept changing.")
    record_all = mock.patch("django_messente_dlr.sending.queue.worker.record_all", side_effect=[gone, []])
    is_deleted = mock.patch(f"{results}.record_accepted", side_effect=SmsMessage.DoesNotExist("gone"))
    not_expected = mock.patch(f"{results}.mark.confirm_batch", return_value=set())
    not_recorded = mock.patch(f"{results}.record_refusal", side_effect=conflict)
    with Wire(ok("OK an-id-3")) as wire, use_messente(wire.host):
        with record_all:
            queue_and_send(run)
        with is_deleted, not_expected:
            queue_and_send(run)
        with use_messente(wire.host, QUEUE_PUSH=f"{__name__}.refuse_push"):
            queue_and_send(run)
    with Wire(ok("ERROR 111")) as wire, use_messente(wire.host), not_recorded:
        queue_and_send(run)


@failure
def resending_fails(run: FailureRun) -> None:
    policy: dict[str, Any] = {"RESEND": {"attempts": 3, "backoff": [60]}, "STORE_TEXT": False}
    with Wire(ok("OK an-id-4")) as wire, use_messente(wire.host, **policy):
        run.callback(run.create_message(text=""), "stat=UNDELIV&err=999")
        with mock.patch("django_messente_dlr.sending.kept.content.to_json", side_effect=OperationalError("gone")):
            run.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))


@failure
def callbacks_are_refused(run: FailureRun) -> None:
    message, other = run.create_reported_message(), run.create_message(account="marketing")
    message_path, webhook_path = urlsplit(message.callback_url).path, "/messente/dlr/"
    for invalid_path in (
        message_path[:-2],
        f"{message_path}more",
        message_path.replace(f"m{message.pk}.", f"m{other.pk}."),
        "/messente/dlr/garbage/",
    ):
        run.send(Request(path=invalid_path.encode(), query=b"stat=DELIVRD"))
    for query in ("", "stat=%ff", "stat=DELIVRD&sms_unique_id=another", "stat=%00"):
        run.callback(message, query)
    for method in ("HEAD", "PUT", "OPTIONS"):
        run.callback(message, method=method)
    run.callback(message, HTTP_HOST="evil.example.com")
    for body in (b"{", b"[" * 9999, b" " * 99_999, b'{"message_id": "an-id", "status": "SEEN", "password": "x"}'):
        run.post(webhook_path, body)
        run.post(message_path, body)
        run.post(urlsplit(callbacks.callback_url("marketing")).path, body)
    run.post(webhook_path, password=OTHER_PASSWORD)
    run.post(webhook_path, password=OLD_PASSWORD)
    run.post(message_path, password="unknown")
    with use_messente(UNREACHABLE_HOST, CALLBACK_ALLOWED_IPS=["192.0.2.0/24"]):
        run.callback(message)
    with use_messente(UNREACHABLE_HOST, POLL_RATE="fast"):
        run.send(Request(path=message_path.encode(), query=b"stat=DELIVRD"))
        run.post(webhook_path)
    with mock.patch("django_messente_dlr.webhook.views.authenticate", side_effect=KeyError("a defect")):
        run.callback(message)
        run.post(message_path)


@failure
def receivers_fail(run: FailureRun) -> None:
    def on_dlr(**kwargs: Any) -> None:
        raise ValueError("a defect of the project")

    signals.dlr_received.connect(on_dlr)
    try:
        message = run.create_reported_message()
        run.callback(message)
        run.post("/messente/dlr/", json.dumps({"message_id": "an-id", "status": "SEEN"}).encode())
        report = DeliveryReportFactory.create(dispatch_due_at=timezone.now(), dispatched_at=None)
        act(run.client, "send_signals_again", report)
        with mock.patch.object(dispatch.send, "_send", side_effect=KeyError("a defect")):
            act(run.client, "send_signals_again", report)
            DeliveryReport.objects.update(dispatch_due_at=timezone.now())
            run.attempt(dispatch.dispatch_overdue)
    finally:
        signals.dlr_received.disconnect(on_dlr)


@failure
def settings_are_invalid(run: FailureRun) -> None:
    account = {"USERNAME": USERNAME, "PASSWORD": PASSWORD}
    for invalid in (
        {**account, "PASSWORT": PASSWORD},
        {"USERNAME": USERNAME, "PASSWORD": [PASSWORD]},
        {**account, "PREVIOUS_PASSWORDS": OLD_PASSWORD},
        {**account, "ACCOUNTS": [PASSWORD]},
        {**account, "CALLBACK_KEYS": PASSWORD},
        {**account, "CALLBACK_KEYS": [PASSWORD]},
        {**account, "CALLBACK_ALLOWED_IPS": [PASSWORD]},
        {**account, "POLL_RATE": PASSWORD},
        {**account, "CALLBACK_BASE_URL": f"http://{USERNAME}:{PASSWORD}@127.0.0.1:9"},
        {**account, "CALLBACK_BASE_URL": PASSWORD},
        *(
            {**account, "API_HOSTS": [host]}
            for host in (PASSWORD, IN_URL, f"http://shop:{IN_URL}@127.0.0.1:9", "http://[")
        ),
        {**account, "OMNICHANNEL_URL": f"http://shop:{IN_URL}@127.0.0.1:9"},
        {"USERNAME": PASSWORD, "PASSWORD": PASSWORD},
        {"ACCOUNTS": {"one": account, "two": account}},
        PASSWORD,
    ):
        urls = {
            "API_HOSTS": [UNREACHABLE_HOST],
            "OMNICHANNEL_URL": UNREACHABLE_HOST,
            "CALLBACK_BASE_URL": UNREACHABLE_HOST,
        }
        with override_settings(MESSENTE_DLR={**urls, **invalid} if isinstance(invalid, dict) else invalid):
            run.run_command("check", deploy=True)
            run.run_command("messente_doctor")
            run.run_command("poll_dlrs")
            run.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))


@failure
def admin_is_viewed(run: FailureRun) -> None:
    """Request every admin page of the rows that the other failures left, and run the actions that call Messente."""
    for model in MODELS:
        run.texts.append(run.client.get(list_url(model)).content.decode())
        for row in model._default_manager.all():
            for view in ("change", "history"):
                run.texts.append(run.client.get(page_url(row, view)).content.decode())
    failed = [run.create_message(status=Status.FAILED, text="Your parcel is here") for _ in range(2)]
    with ExitStack() as stack:
        for behave in (echoing(), hanging_up, ok("ERROR 101")):
            wire = stack.enter_context(Wire(behave))
            with use_messente(wire.host):
                for action in ("resend", "poll_now", "export"):
                    rows = [*failed, run.create_message()]
                    response = act(run.client, action, *rows, confirmed="yes")
                    run.texts.append(b"".join(response).decode())
