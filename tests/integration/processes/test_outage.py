"""Outages of the database: callbacks get 503 until it is available again, and no report is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.db import connection

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.integration.processes.databases import url_of
from tests.integration.processes.proxy import Address, Proxy
from tests.integration.processes.web import Web, wait_until


def upstream() -> Address:
    """Return the address on which the database server listens."""
    settings = connection.settings_dict
    options: dict[str, str] = settings["OPTIONS"]
    if connection.vendor == "mysql":
        return options.get("unix_socket") or (settings["HOST"] or "127.0.0.1", int(settings["PORT"] or 3306))
    host = options.get("host") or settings["HOST"] or "127.0.0.1"
    port = int(settings["PORT"] or 5432)
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def status(web: Web, message: SmsMessage, stat: str) -> int:
    """Send a callback and return the response's status. Like Messente, wait at most 10 s for the response."""
    path = message.callback_url.removeprefix("https://shop.example.com").removeprefix(web.url)
    try:
        with urlopen(f"{web.url}{path}?sms_unique_id={message.sms_unique_id}&stat={stat}", timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


@contextmanager
def outage(tmp_path: Path, *, conn_max_age: int, **options: Any) -> Iterator[tuple[Proxy, Web]]:
    """Serve a project with one worker, and with a proxy between it and its database."""
    with Proxy(upstream()) as proxy:
        url = url_of(connection.settings_dict, connection.vendor, port=proxy.port, **options)
        with Web(tmp_path, url, workers=1, conn_max_age=conn_max_age) as web:
            yield proxy, web


@pytest.fixture(autouse=True)
def _needs_a_server(transactional_db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server")


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_outage__503_until_database_returns(conn_max_age: int, database: str, tmp_path: Path) -> None:
    messages = SmsMessageFactory.create_batch(6)
    with outage(tmp_path, conn_max_age=conn_max_age) as (proxy, web):
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 6
        proxy.go_away()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        assert not DeliveryReport.objects.filter(stat="DELIVRD").exists()
        proxy.come_back()
        # The first attempt succeeds: a persistent connection that is stale loses no callback.
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 6
        proxy.go_away()
        proxy.come_back()
        assert [status(web, message, "SEEN") for message in messages] == [200] * 6
    assert DeliveryReport.objects.count() == 18
    assert set(DeliveryReport.objects.values_list("times_received", flat=True)) == {1}
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"seen"}
    assert not DeliveryReport.objects.undispatched().exists()
    assert set(web.count_signals().values()) == {1}


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_outage__starting_server_is_tried_once_per_report(conn_max_age: int, database: str, tmp_path: Path) -> None:
    """The response takes no longer than one connection attempt, because no attempt is repeated."""
    messages = SmsMessageFactory.create_batch(6)
    with outage(tmp_path, conn_max_age=conn_max_age) as (proxy, web):
        # After these callbacks both threads have opened a connection.
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 6
        proxy.turn_away()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        before = proxy.tries
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        assert proxy.tries == before + 6
        proxy.go_away()
        proxy.come_back()
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 6


# The timeouts that docs/howto/databases.rst recommends.
TIMEOUTS = {
    "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 5000},
    "mysql": {"connect_timeout": 1, "read_timeout": 5, "write_timeout": 5},
}


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_outage__stuck_server_is_503_before_messente_times_out(
    conn_max_age: int, database: str, tmp_path: Path
) -> None:
    if connection.vendor == "postgresql" and conn_max_age:
        pytest.skip("Only operating system settings end a wait on an open connection: see docs/howto/databases.rst")
    messages = SmsMessageFactory.create_batch(2)
    with outage(tmp_path, conn_max_age=conn_max_age, options=TIMEOUTS[connection.vendor]) as (proxy, web):
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 2
        proxy.fall_silent()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 2
        proxy.speak_again()
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 2
    # A report that one round trip writes may be stored before the server is stuck. Its retry is then a duplicate.
    stored = DeliveryReport.objects.values_list("stat", "times_received")
    assert sorted(stat for stat, _ in stored) == ["ACCEPTD", "ACCEPTD", "DELIVRD", "DELIVRD"]
    assert all(times_received == 1 or (stat == "DELIVRD" and times_received == 2) for stat, times_received in stored)
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"delivered"}


def test_outage__retries_of_messente_record_all_reports(database: str, settings: Any, tmp_path: Path) -> None:
    # With this delay the five retries take longer than the outage, even if sending is slow.
    with Sandbox({"shop": "a-password"}, retry_delay=6) as messente_sandbox, Proxy(upstream()) as proxy:
        url = url_of(connection.settings_dict, connection.vendor, port=proxy.port)
        with Web(tmp_path, url, messente=messente_sandbox.url) as web:
            settings.MESSENTE_DLR = {
                **settings.MESSENTE_DLR,
                "CALLBACK_BASE_URL": web.url,
                "SEND_API": "sms",
                "API_HOSTS": [messente_sandbox.url],
            }
            proxy.go_away()
            messages = [send_sms(f"+37255500{number}00", "A parcel") for number in range(5)]
            wait_until(lambda: len({attempt.url for attempt in messente_sandbox.callbacks}) == len(messages))
            assert {attempt.status for attempt in messente_sandbox.callbacks} == {503}
            proxy.come_back()
            assert messente_sandbox.wait_until_idle(60)
        for message in messages:
            message.refresh_from_db()
        assert {message.status for message in messages} == {"delivered"}
        assert not DeliveryReport.objects.undispatched().exists()
        assert set(web.count_signals().values()) == {1}
