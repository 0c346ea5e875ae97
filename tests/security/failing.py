"""Every way to fail: each drives one, with real sockets where one speaks with Messente, and keeps what came of it."""

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

from django_messente_dlr import accounts, callbacks, dispatch, polling, receiving, signals
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.maintenance import sweep
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.utils.poll_schedule import REPORT_RETENTION
from tests.integration.messente_sockets.wire import Behaviour, Connection, Wire, hanging_up, raw, resetting, silent
from tests.security.wsgi import Door, Request
from tests.unit.admin.pages import MODELS, act, list_url, page_url

USERNAME, PASSWORD, OLD_PASSWORD, OTHER_PASSWORD = "shop", "pä§$word&=+ 1", "0ld/p%ss<word>", 'marketing\'s "pass"'
NOBODY = "http://127.0.0.1:9"
IN_URL = "a-password-in-a-url"
COMMAND = "django_messente_dlr.management.commands.poll_dlrs"
BODY = json.dumps({"message_id": "an-id", "status": "DELIVRD"}).encode()


def response(line: str, *headers: str, body: str = "") -> bytes:
    told = [f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body.encode())}", "Connection: close", "", ""]
    return "\r\n".join(told).encode() + body.encode()


def status(line: str, *headers: str) -> Behaviour:
    return raw(response(line, *headers))


def answer(body: str) -> Behaviour:
    return raw(response("200 OK", body=body))


def echoing(before: str = "") -> Behaviour:
    """Answer with what was asked: what a proxy's page for a failure, or a debugging one, may do."""

    def behave(wire: Wire, connection: Connection) -> None:
        asked = (connection.request() or b"").partition(b"\r\n\r\n")[2].decode()
        connection.sock.sendall(response("200 OK", body=before + asked))

    return behave


# What Messente may do to whoever calls it.
BEHAVIOURS: dict[str, Behaviour] = {
    "hangs up": hanging_up,
    "resets": resetting,
    "is silent": silent,
    "no HTTP": raw(b"\0\1\2"),
    "breaks off": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nOK"),
    "redirects": status("302 Found", "Location: http://127.0.0.1:9/?password=x"),
    "no content": status("204 No Content"),
    "HTTP 401": status("401 Unauthorized"),
    "HTTP 404": status("404 Not Found"),
    "HTTP 429": status("429 Too Many", "Retry-After: 0"),
    "HTTP 500": status("500 Oh"),
    "HTTP 407": status("407 Proxy Authentication Required"),
    "nothing": answer(""),
    "rubbish": answer("<html>"),
    **{
        word: answer(word)
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


class World:
    """Rows to fail with, and all that is told to anybody meanwhile.

    Attributes:
        told: texts that somebody got to see: answers, pages, the output of commands.
        raised: exceptions that reached whoever called.
        signatures: of bodies that were posted.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.door = Door()
        self.told: list[str] = []
        self.raised: list[BaseException] = []
        self.signatures: list[str] = []

    def message(self, **attributes: Any) -> SmsMessage:
        made: SmsMessage = SmsMessageFactory.create(**{"next_poll_at": timezone.now(), **attributes})
        return made

    def known(self) -> SmsMessage:
        """Return a message that the bodies speak of."""
        SmsMessage.objects.filter(sms_unique_id="an-id").update(sms_unique_id=None)
        return self.message(sms_unique_id="an-id")

    def attempt(self, call: Callable[[], object]) -> None:
        """Have something fail, or not."""
        try:
            self.told.append(str(call()))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is looked at
            self.raised.append(exc)

    def command(self, name: str, **options: Any) -> None:
        """Run a command and keep what it prints."""
        out = io.StringIO()
        try:
            self.attempt(lambda: call_command(name, stdout=out, stderr=out, **options))
        except SystemExit as exc:
            self.told.append(str(exc))
        # Its secret is for Messente's dashboard: whoever runs the doctor is to see it.
        self.told.append(
            "\n".join(line for line in out.getvalue().splitlines() if "For Messente's dashboard" not in line)
        )

    def ask(self, request: Request) -> None:
        """Knock at the callback door."""
        answer = self.door.ask(request)
        self.told.append(f"{answer.status} {answer.headers} {answer.body!r}")

    def callback(
        self, message: SmsMessage, query: str = "stat=DELIVRD", *, method: str = "GET", **headers: str
    ) -> None:
        """Call a message's own URL."""
        path = urlsplit(message.callback_url).path.encode()
        self.ask(Request(method=method, path=path, query=query.encode(), headers=headers))

    def post(self, path: str, body: bytes = BODY, *, password: str = PASSWORD) -> None:
        """Post a signed body."""
        self.signatures.append(sign(body, password))
        headers = {"HTTP_X_MESSENTE_SIGNATURE": self.signatures[-1], "CONTENT_TYPE": "application/json"}
        self.ask(Request(method="POST", path=path.encode(), body=body, length=str(len(body)), headers=headers))


Path = Callable[[World], None]
PATHS: dict[str, Path] = {}


def path(drive: Path) -> Path:
    PATHS[drive.__name__] = drive
    return drive


@contextmanager
def messente(host: str, **changes: Any) -> Iterator[None]:
    """Have Messente be there, and nowhere else."""
    told = {**settings.MESSENTE_DLR, "API_HOSTS": [host], "OMNICHANNEL_URL": f"{host}/v1", "READ_TIMEOUT": 0.2}
    with override_settings(MESSENTE_DLR={**told, **changes}):
        yield


def speak(world: World) -> None:
    """Say all that we ever say to Messente."""
    Account.objects.update(credits_exhausted_at=None)
    world.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))
    world.attempt(lambda: send_sms("+37255500000", "Your parcel is here", password=PASSWORD))
    world.attempt(lambda: polling.poll_now([world.message(), world.message(omnimessage_id="an-omnimessage")]))
    world.message()
    world.command("poll_dlrs", concurrency=1)
    for call in (
        lambda c: c.get_balance(),
        lambda c: c.cancel("an-id"),
        lambda c: c.get_report("an-id"),
        lambda c: c.get_omnimessage_status("x"),
    ):
        world.attempt(lambda call=call: call(client_for("default")))  # type: ignore[misc]
    AccountFactory.create(held=True)
    sweep.sweep()
    world.command("messente_doctor")


@path
def messente_fails(world: World) -> None:
    for behave in BEHAVIOURS.values():
        with Wire(behave) as wire, messente(wire.host):
            speak(world)
            SmsMessage.objects.all().delete()


@path
def messente_cannot_be_reached(world: World) -> None:
    with messente(NOBODY):
        speak(world)


@path
def the_database_fails(world: World) -> None:
    def fail(*args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    message = world.known()
    with connection.execute_wrapper(fail):
        world.post("/messente/dlr/")
        world.callback(message)
        world.command("poll_dlrs")
        world.command("prune_dlrs")
    DeliveryReportFactory.create(message=None, token_message_id=message.pk)
    with mock.patch("django_messente_dlr.receiving.orphans.match_orphan", side_effect=OperationalError("gone")):
        receiving.match_orphans()
    with mock.patch.object(accounts, "record_callback", side_effect=InterfaceError("gone")):
        world.callback(message)
    with mock.patch.object(dispatch, "mark_dispatched", side_effect=OperationalError("gone")):
        world.callback(message)
    with (
        mock.patch("django_messente_dlr.sending.send.mark_sent", side_effect=OperationalError("gone")),
        Wire(answer("OK an-id-2")) as wire,
        messente(wire.host),
    ):
        world.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))


@path
def polling_fails(world: World) -> None:
    world.message(account="gone")
    with (
        Wire(answer("OK DELIVERED")) as wire,
        messente(wire.host),
        mock.patch.object(receiving, "record", side_effect=receiving.WriteConflict("It kept changing.")),
    ):
        world.message()
        world.command("poll_dlrs", concurrency=1)
    with mock.patch.object(receiving, "record_final", side_effect=receiving.WriteConflict("It kept changing.")):
        world.message(queued=True, created_at=timezone.now() - REPORT_RETENTION)
        world.command("poll_dlrs", concurrency=1)
    with (
        mock.patch(f"{COMMAND}.Poller.run", side_effect=[OperationalError("gone"), KeyboardInterrupt]),
        mock.patch(f"{COMMAND}.connections.close_all"),
        suppress(KeyboardInterrupt),
    ):
        world.command("poll_dlrs", watch=0.01)


@path
def callbacks_are_refused(world: World) -> None:
    message, other = world.known(), world.message(account="marketing")
    own, path_ = urlsplit(message.callback_url).path, "/messente/dlr/"
    for wrong in (own[:-2], f"{own}more", own.replace(f"m{message.pk}.", f"m{other.pk}."), "/messente/dlr/garbage/"):
        world.ask(Request(path=wrong.encode(), query=b"stat=DELIVRD"))
    for query in ("", "stat=%ff", "stat=DELIVRD&sms_unique_id=another", "stat=%00"):
        world.callback(message, query)
    for method in ("HEAD", "PUT", "OPTIONS"):
        world.callback(message, method=method)
    world.callback(message, HTTP_HOST="evil.example.com")
    for body in (b"{", b"[" * 9999, b" " * 99_999, b'{"message_id": "an-id", "status": "SEEN", "password": "x"}'):
        world.post(path_, body)
        world.post(own, body)
        world.post(urlsplit(callbacks.callback_url("marketing")).path, body)
    world.post(path_, password=OTHER_PASSWORD)
    world.post(path_, password=OLD_PASSWORD)
    world.post(own, password="nobody's")
    with messente(NOBODY, CALLBACK_ALLOWED_IPS=["192.0.2.0/24"]):
        world.callback(message)
    with messente(NOBODY, POLL_RATE="fast"):
        world.ask(Request(path=own.encode(), query=b"stat=DELIVRD"))
        world.post(path_)
    with mock.patch("django_messente_dlr.webhook.views.authenticate", side_effect=KeyError("a defect")):
        world.callback(message)
        world.post(own)


@path
def receivers_fail(world: World) -> None:
    def on_dlr(**kwargs: Any) -> None:
        raise ValueError("a defect of the project's")

    signals.dlr_received.connect(on_dlr)
    try:
        message = world.known()
        world.callback(message)
        world.post("/messente/dlr/", json.dumps({"message_id": "an-id", "status": "SEEN"}).encode())
        report = DeliveryReportFactory.create(dispatch_due_at=timezone.now(), dispatched_at=None)
        act(world.client, "send_signals_again", report)
        with mock.patch.object(dispatch, "_send", side_effect=KeyError("a defect")):
            act(world.client, "send_signals_again", report)
            DeliveryReport.objects.update(dispatch_due_at=timezone.now())
            world.attempt(dispatch.dispatch_overdue)
    finally:
        signals.dlr_received.disconnect(on_dlr)


@path
def the_settings_are_wrong(world: World) -> None:
    account = {"USERNAME": USERNAME, "PASSWORD": PASSWORD}
    for wrong in (
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
        told = {"API_HOSTS": [NOBODY], "OMNICHANNEL_URL": NOBODY, "CALLBACK_BASE_URL": NOBODY}
        with override_settings(MESSENTE_DLR={**told, **wrong} if isinstance(wrong, dict) else wrong):
            world.command("check", deploy=True)
            world.command("messente_doctor")
            world.command("poll_dlrs")
            world.attempt(lambda: send_sms("+37255500000", "Your parcel is here"))


@path
def people_look(world: World) -> None:
    """At all that the others have left."""
    for model in MODELS:
        world.told.append(world.client.get(list_url(model)).content.decode())
        for row in model._default_manager.all():
            for view in ("change", "history"):
                world.told.append(world.client.get(page_url(row, view)).content.decode())
    failed = [world.message(status=Status.FAILED, text="Your parcel is here") for _ in range(2)]
    with ExitStack() as stack:
        for behave in (echoing(), hanging_up, answer("ERROR 101")):
            wire = stack.enter_context(Wire(behave))
            with messente(wire.host):
                for action in ("resend", "poll_now", "export"):
                    rows = [*failed, world.message()]
                    response = act(world.client, action, *rows, confirmed="yes")
                    world.told.append(b"".join(response).decode())
