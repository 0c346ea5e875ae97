"""A host that accepts no connection and refuses none: real sockets, and connection attempts that time out."""

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
from tests.unit.messente.wire import Wire, answering
from tests.unit.polling.rows import due, seen

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, MESSAGES = 4, 40


@pytest.fixture
def dead_ports() -> Iterator[list[int]]:
    """Two ports whose queues are full, so that connection attempts get no reply."""
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
    """The number of connection attempts by port."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The circuit stays open until the end of the test, also on a busy machine.
    monkeypatch.setattr("django_messente_dlr.messente.circuit_breaker.REST", 3600.0)
    attempts: Counter[int] = Counter()
    connect = urllib3_connection.create_connection

    def count(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        attempts[address[1]] += 1
        return connect(address, *args, **options)

    with mock.patch.object(urllib3_connection, "create_connection", count):
        yield attempts


def poll(settings: Any, *hosts: str) -> Summary:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": list(hosts), "CONNECT_TIMEOUT": 0.2}
    return Poller(concurrency=THREADS).run()


def test_run__unreachable_host_costs_one_timeout_per_thread(
    dead_ports: list[int], attempts: Counter[int], settings: Any
) -> None:
    messages = [due() for _ in range(MESSAGES)]
    with Wire(answering(b"OK DELIVERED")) as backup:
        summary = poll(settings, f"http://127.0.0.1:{dead_ports[0]}", backup.host)
    assert (summary.asked, summary.final, summary.failed) == (MESSAGES, MESSAGES, 0)
    assert {seen(message).status for message in messages} == {"delivered"}
    assert 1 <= attempts[dead_ports[0]] <= THREADS
    assert backup.accepted <= THREADS


def test_run__all_hosts_unreachable(dead_ports: list[int], attempts: Counter[int], settings: Any) -> None:
    messages = [due() for _ in range(MESSAGES)]
    summary = poll(settings, *(f"http://127.0.0.1:{port}" for port in dead_ports))
    assert all(1 <= attempts[port] <= THREADS for port in dead_ports)
    assert (summary.final, summary.asked) == (0, summary.failed)
    assert summary.asked <= THREADS
    # Only requests that were sent count as polls.
    assert sum(seen(message).poll_count for message in messages) == summary.asked
    assert SmsMessage.objects.pending().count() == MESSAGES
    assert not SmsMessage.objects.due(timezone.now()).exists()
