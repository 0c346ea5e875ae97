"""The poller with a host that neither accepts nor refuses connections."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone
from urllib3.util import connection as urllib3_connection

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling import Poller, Summary
from tests.integration.messente_sockets.wire import Wire, answering
from tests.unit.polling.rows import due, seen

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, MESSAGES = 4, 40


@pytest.fixture
def unresponsive_ports() -> Iterator[list[int]]:
    """Return two ports whose accept queues are full, so that further connections time out."""
    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            ports.append(listener.getsockname()[1])
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            with pytest.raises(TimeoutError):
                socket.create_connection(listener.getsockname(), timeout=0.2)
        yield ports


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[int]]:
    """Count the connection attempts by port."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Longer than the test on any machine, so that a failed host is not tried again.
    monkeypatch.setattr("django_messente_dlr.messente.circuit_breaker.OPEN_SECONDS", 3600.0)
    attempts_by_port: Counter[int] = Counter()
    connect = urllib3_connection.create_connection

    def create_connection(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        attempts_by_port[address[1]] += 1
        return connect(address, *args, **options)

    with mock.patch.object(urllib3_connection, "create_connection", create_connection):
        yield attempts_by_port


def poll(settings: Any, *hosts: str) -> Summary:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": list(hosts), "CONNECT_TIMEOUT": 0.2}
    return Poller(concurrency=THREADS).run()


def test_poller__one_timeout_per_thread_then_backup(
    unresponsive_ports: list[int], attempts: Counter[int], settings: Any
) -> None:
    messages = [due() for _ in range(MESSAGES)]
    with Wire(answering(b"OK DELIVERED")) as backup:
        summary = poll(settings, f"http://127.0.0.1:{unresponsive_ports[0]}", backup.host)
    assert (summary.asked, summary.final, summary.failed) == (MESSAGES, MESSAGES, 0)
    assert {seen(message).status for message in messages} == {"delivered"}
    assert 1 <= attempts[unresponsive_ports[0]] <= THREADS
    assert backup.accepted <= THREADS


def test_poller__all_hosts_unresponsive_ends_run(
    unresponsive_ports: list[int], attempts: Counter[int], settings: Any
) -> None:
    messages = [due() for _ in range(MESSAGES)]
    summary = poll(settings, *(f"http://127.0.0.1:{port}" for port in unresponsive_ports))
    assert all(1 <= attempts[port] <= THREADS for port in unresponsive_ports)
    assert (summary.final, summary.asked) == (0, summary.failed)
    assert summary.asked <= THREADS
    # Messages without a request keep their number of polls.
    assert sum(seen(message).poll_count for message in messages) == summary.asked
    assert SmsMessage.objects.pending().count() == MESSAGES
    assert not SmsMessage.objects.due(timezone.now()).exists()
