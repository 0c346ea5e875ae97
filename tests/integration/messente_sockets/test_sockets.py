"""The client over real sockets, with requests and urllib3 unchanged."""

from __future__ import annotations

import gc
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import requests

from django_messente_dlr.messente import errors, http_session
from django_messente_dlr.messente.client import MessenteClient
from tests.integration.messente_sockets.wire import (
    PATIENCE,
    Behaviour,
    Connection,
    Wire,
    answering,
    endless,
    hanging_up,
    raw,
    resetting,
    silent,
    silent_at_first,
)
from tests.unit.messente.answering import CALLS, client, every_call, every_idempotent_call

OPENSSL = which("openssl")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, behave: Behaviour, **options: Any) -> Wire:
    return stack.enter_context(Wire(behave, **options))


def connect(stack: ExitStack, *hosts: str, **options: Any) -> MessenteClient:
    return stack.enter_context(closing(client(hosts=hosts, **options)))


def use_short_timeout_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a short read time-out for the next request of any session, and a long one for all others."""
    request = requests.Session.request
    timeouts = iter([(PATIENCE, 0.05)])

    def request_with_timeout(*arguments: Any, **options: Any) -> Any:
        return request(*arguments, **{**options, "timeout": next(timeouts, PATIENCE)})

    monkeypatch.setattr(requests.Session, "request", request_with_timeout)


@pytest.fixture
def closed_port() -> Iterator[str]:
    """Return a host whose port refuses connections. The bound socket keeps other processes from listening there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


# Failures of a server that may have received the request.
BREAKDOWNS: dict[str, Behaviour] = {
    "hangs up at once": hanging_up,
    "resets the connection": resetting,
    "sends nothing": raw(b""),
    "answers half a status line": raw(b"HTTP/1.1 2"),
    "answers no HTTP": raw(b"OK 1\r\n\r\n"),
    "answers half a head": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4"),
    "answers half a body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nOK 1"),
    "answers half a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nOK 1"),
    "answers no chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nOK 1"),
    "answers two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nOK 1"),
    "answers no gzip": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nOK 1"),
    "answers an endless head": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\nOK 1"),
    "answers without end": endless(b""),
    "answers chunks without end": endless(b"Transfer-Encoding: chunked\r\n"),
    "answers too much": endless(b"Content-Length: 1000000000000\r\n"),
    "answers an odd status": raw(b"HTTP/1.1 99999 OK\r\nContent-Length: 4\r\n\r\nOK 1"),
}
every_breakdown = pytest.mark.parametrize("behave", BREAKDOWNS.values(), ids=BREAKDOWNS)


class TestRequestsThatMayHaveArrived:
    @every_breakdown
    def test_send__broken_response_is_outcome_unknown(self, stack: ExitStack, behave: Behaviour) -> None:
        first, backup = start(stack, behave), start(stack, answering())
        with pytest.raises(errors.OutcomeUnknown):
            connect(stack, first.host, backup.host).send("+37255500000", "Your parcel is here")
        assert (first.accepted, backup.accepted) == (1, 0)

    @every_breakdown
    def test_get_balance__broken_response_uses_backup(self, stack: ExitStack, behave: Behaviour) -> None:
        first, backup = start(stack, behave), start(stack, answering(b"OK 7.50"))
        assert connect(stack, first.host, backup.host).get_balance() == 7.5
        assert (first.accepted, backup.accepted) == (1, 1)

    def test_send__timeout_is_outcome_unknown(self, stack: ExitStack) -> None:
        first, backup = start(stack, silent), start(stack, answering())
        with pytest.raises(errors.OutcomeUnknown, match="ReadTimeout"):
            connect(stack, first.host, backup.host, read_timeout=0.05).send("+37255500000", "Your parcel is here")
        assert (first.accepted, backup.accepted) == (1, 0)

    @every_idempotent_call
    def test_idempotent_call__timeout_uses_backup(
        self, stack: ExitStack, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, backup = start(stack, silent), start(stack, answering())
        use_short_timeout_once(monkeypatch)
        CALLS[endpoint](connect(stack, first.host, backup.host))
        assert (first.accepted, backup.accepted) == (1, 1)

    @every_breakdown
    def test_omnimessage_status__broken_response_is_no_response(self, stack: ExitStack, behave: Behaviour) -> None:
        wire = start(stack, behave)
        with pytest.raises(errors.NoResponse):
            connect(stack, omnichannel_url=wire.host).get_omnimessage_status("1")


def test_response__is_read_up_to_limit(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "MAX_RESPONSE_BYTES", 30_000)
    for size, error in ((30_000, errors.UnreadableResponse), (30_001, errors.NoResponse)):
        wire = start(stack, answering(b"1" * size))
        with pytest.raises(error):
            connect(stack, wire.host).get_balance()
        assert wire.accepted == 1


class TestRequestsNeverSent:
    @every_call
    def test_call__closed_port_uses_backup(self, stack: ExitStack, endpoint: str, closed_port: str) -> None:
        backup = start(stack, answering())
        CALLS[endpoint](connect(stack, closed_port, backup.host))
        assert backup.accepted == 1

    @every_call
    def test_call__only_closed_ports_is_connection_failed(
        self, stack: ExitStack, endpoint: str, closed_port: str
    ) -> None:
        with pytest.raises(errors.ConnectionFailed):
            CALLS[endpoint](connect(stack, closed_port, closed_port))

    @every_call
    def test_call__unknown_hostname_uses_backup(
        self, stack: ExitStack, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backup = start(stack, answering())
        resolve = socket.getaddrinfo

        def unresolvable(host: Any, *arguments: Any, **options: Any) -> Any:
            # A real resolver is not used, because some resolve names that do not exist.
            if host == "api2.invalid":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return resolve(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
        CALLS[endpoint](connect(stack, "https://api2.invalid", backup.host))
        assert backup.accepted == 1

    @pytest.mark.parametrize(
        "host",
        [
            "api2.messente.com",
            "",
            "http://",
            "http://[",
            "http://a b",
            "http://x:99999999",
            "ftp://x",
            "http://é..x",
            "http://a..b",
        ],
    )
    def test_send__invalid_url_uses_backup(self, stack: ExitStack, host: str) -> None:
        backup = start(stack, answering())
        assert connect(stack, host, backup.host).send("+37255500000", "Your parcel is here") == "1"

    def test_omnimessage_status__closed_port_is_connection_failed(self, stack: ExitStack, closed_port: str) -> None:
        with pytest.raises(errors.ConnectionFailed):
            connect(stack, omnichannel_url=closed_port).get_omnimessage_status("1")


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed.")
class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """Create a self-signed certificate for the loopback address, with its key."""
        path = tmp_path / "certificate.pem"
        subprocess.run(
            [
                *(
                    OPENSSL or "",
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=localhost",
                ),
                *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", tmp_path / "public.pem"),
            ],
            check=True,
            capture_output=True,
        )
        path.write_bytes(path.read_bytes() + (tmp_path / "public.pem").read_bytes())
        return path

    @pytest.fixture
    def secure(self, stack: ExitStack, certificate: Path) -> Wire:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return start(stack, answering(), tls=context)

    def test_send__untrusted_certificate_uses_backup(self, stack: ExitStack, secure: Wire) -> None:
        backup = start(stack, answering())
        assert connect(stack, secure.host, backup.host).send("+37255500000", "Your parcel is here") == "1"
        assert (secure.requests, len(backup.requests)) == ([], 1)

    def test_send__untrusted_certificate_is_connection_failed(self, stack: ExitStack, secure: Wire) -> None:
        with pytest.raises(errors.ConnectionFailed, match="SSLError"):
            connect(stack, secure.host).send("+37255500000", "Your parcel is here")
        assert secure.requests == []

    def test_send__certificate_of_other_host_is_connection_failed(
        self, stack: ExitStack, secure: Wire, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with pytest.raises(errors.ConnectionFailed, match="SSLError"):
            connect(stack, secure.host.replace("127.0.0.1", "localhost")).send("+37255500000", "Your parcel is here")
        assert secure.requests == []

    def test_send__trusted_certificate_is_accepted(
        self, stack: ExitStack, secure: Wire, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert connect(stack, secure.host).send("+37255500000", "Your parcel is here") == "1"

    def test_send__server_without_tls_is_outcome_unknown(self, stack: ExitStack) -> None:
        """The error does not show at which point TLS failed, so the request is treated as possibly sent."""
        plain = start(stack, hanging_up)
        with pytest.raises(errors.OutcomeUnknown):
            connect(stack, plain.host.replace("http:", "https:")).send("+37255500000", "Your parcel is here")


class TestProxies:
    """A proxy's error response does not prove that the proxy did not forward the request."""

    def set_proxy(self, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_send__unreachable_proxy_uses_backup(
        self, stack: ExitStack, scheme: str, closed_port: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backup = start(stack, answering())
        self.set_proxy(closed_port, monkeypatch)
        # The backup is on the loopback address, which NO_PROXY excludes from the proxy.
        assert connect(stack, f"{scheme}://api2.invalid", backup.host).send("+37255500000", "Your parcel") == "1"

    @every_breakdown
    def test_send__broken_proxy_response_is_outcome_unknown(
        self, stack: ExitStack, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy, backup = start(stack, behave), start(stack, answering())
        self.set_proxy(proxy.host, monkeypatch)
        with pytest.raises(errors.OutcomeUnknown):
            connect(stack, "http://api2.invalid", backup.host).send("+37255500000", "Your parcel is here")
        assert (proxy.accepted, backup.accepted) == (1, 0)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Who\r\n\r\n", b"HTTP/1.1 502 Bad\r\n\r\n", b"OK 1\r\n\r\n"])
    def test_send__tunnel_error_hides_proxy_password(
        self, stack: ExitStack, answer: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = start(stack, raw(answer))
        self.set_proxy(proxy.host.replace("//", "//me:a-proxys-password@"), monkeypatch)
        with pytest.raises((errors.MessenteError, errors.OutcomeUnknown)) as raised:
            connect(stack, "https://api2.invalid").send("+37255500000", "Your parcel is here")
        assert "a-proxys-password" not in str(raised.value)
        assert [request.split()[0] for request in proxy.requests] == [b"CONNECT"]

    def test_session__reads_environment_once_per_host(
        self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = start(stack, answering()), start(stack, answering())
        messente_client = connect(stack, "http://api2.invalid")
        for proxy in (first, second):
            self.set_proxy(proxy.host, monkeypatch)
            messente_client.send("+37255500000", "Your parcel is here")
        assert (len(first.requests), len(second.requests)) == (2, 0)
        messente_client.close()
        messente_client.send("+37255500000", "Your parcel is here")
        assert (len(first.requests), len(second.requests)) == (2, 1)


class TestConnections:
    def test_thread__reuses_its_connection(self, stack: ExitStack) -> None:
        wire = start(stack, answering())
        messente_client = connect(stack, wire.host)
        for call in CALLS.values():
            call(messente_client)
        assert (wire.accepted, len(wire.requests)) == (1, len(CALLS))

    def test_threads__have_separate_connections(self, stack: ExitStack) -> None:
        wire = start(stack, answering())
        messente_client = connect(stack, wire.host)
        messente_client.get_balance()
        for _ in range(3):
            thread = threading.Thread(target=messente_client.get_balance)
            thread.start()
            thread.join(PATIENCE)
        gc.collect()
        assert wire.closed.wait(PATIENCE)
        messente_client.get_balance()
        assert (wire.accepted, len(wire.requests)) == (4, 5)

    def test_threads__receive_their_own_responses(self, stack: ExitStack) -> None:
        barrier = threading.Barrier(8)

        def echo(wire: Wire, connection: Connection) -> None:
            while (request := connection.request()) is not None:
                connection.answer(b"OK " + request.rpartition(b"text=")[2])

        wire = start(stack, echo)
        messente_client = connect(stack, wire.host)
        answers: dict[str, list[str]] = {}

        def call(name: str) -> None:
            barrier.wait(PATIENCE)
            answers[name] = [messente_client.send("+37255500000", f"{name}x{number}") for number in range(5)]

        threads = [threading.Thread(target=call, args=(f"thread{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert answers == {f"thread{a}": [f"thread{a}x{b}" for b in range(5)] for a in range(8)}
        assert wire.accepted == 8

    def test_close__next_call_opens_new_connection(self, stack: ExitStack) -> None:
        wire = start(stack, answering())
        messente_client = connect(stack, wire.host)
        messente_client.get_balance()
        messente_client.close()
        assert wire.closed.wait(PATIENCE)
        messente_client.close()
        messente_client.get_balance()
        assert wire.accepted == 2

    def test_connection_closed_by_server__is_replaced(self, stack: ExitStack) -> None:
        wire = start(stack, answering(requests=1))
        messente_client = connect(stack, wire.host)
        messente_client.get_balance()
        assert wire.closed.wait(PATIENCE)
        assert messente_client.send("+37255500000", "Your parcel is here") == "1"
        assert wire.accepted == 2

    def test_connection_close_header__ends_connection(self, stack: ExitStack) -> None:
        wire = start(stack, answering(header=b"Connection: close\r\n"))
        messente_client = connect(stack, wire.host)
        assert {messente_client.get_balance(), messente_client.get_balance()} == {Decimal(1)}
        assert wire.accepted == 2

    def test_late_response__is_not_read_by_next_call(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        wire = start(stack, silent_at_first)
        messente_client = connect(stack, wire.host)
        use_short_timeout_once(monkeypatch)
        with pytest.raises(errors.OutcomeUnknown):
            messente_client.send("+37255500000", "Your parcel is here")
        assert messente_client.get_balance() == 1
        assert wire.accepted == 2

    def test_invalid_cookie__is_ignored(self, stack: ExitStack) -> None:
        wire = start(stack, answering(header=b"Set-Cookie: \xff=;;;=\r\n"))
        messente_client = connect(stack, wire.host)
        assert {messente_client.get_balance(), messente_client.get_balance()} == {Decimal(1)}

    def test_response__charset_is_ignored(self, stack: ExitStack) -> None:
        wire = start(stack, answering(header=b"Content-Type: text/plain; charset=utf-16\r\n"))
        assert connect(stack, wire.host).get_balance() == 1
