"""The database goes away and returns: 503 meanwhile, and nothing is lost."""

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
    """Where the database's server listens."""
    settings = connection.settings_dict
    options: dict[str, str] = settings["OPTIONS"]
    if connection.vendor == "mysql":
        return options.get("unix_socket") or (settings["HOST"] or "127.0.0.1", int(settings["PORT"] or 3306))
    host = options.get("host") or settings["HOST"] or "127.0.0.1"
    port = int(settings["PORT"] or 5432)
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def status(web: Web, message: SmsMessage, stat: str) -> int:
    """Deliver a report, as patiently as Messente: it waits 10 s for an answer."""
    path = message.callback_url.removeprefix("https://shop.example.com").removeprefix(web.url)
    try:
        with urlopen(f"{web.url}{path}?sms_unique_id={message.sms_unique_id}&stat={stat}", timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


@contextmanager
def outage(tmp_path: Path, *, conn_max_age: int, **options: Any) -> Iterator[tuple[Proxy, Web]]:
    """Have a server of ours with one worker whose database can be made to go away."""
    with Proxy(upstream()) as proxy:
        url = url_of(connection.settings_dict, connection.vendor, port=proxy.port, **options)
        with Web(tmp_path, url, workers=1, conn_max_age=conn_max_age) as web:
            yield proxy, web


@pytest.fixture(autouse=True)
def _needs_a_server(transactional_db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server that could go away")


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_reports_get_503_while_the_database_is_away_and_are_stored_when_they_come_again(
    conn_max_age: int, database: str, tmp_path: Path
) -> None:
    messages = SmsMessageFactory.create_batch(6)
    with outage(tmp_path, conn_max_age=conn_max_age) as (proxy, web):
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 6
        proxy.go_away()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        assert not DeliveryReport.objects.filter(stat="DELIVRD").exists()
        proxy.come_back()
        # The very first: a connection that is kept and stale costs no report its try.
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 6
        proxy.go_away()
        proxy.come_back()
        assert [status(web, message, "SEEN") for message in messages] == [200] * 6
    assert DeliveryReport.objects.count() == 18
    assert set(DeliveryReport.objects.values_list("times_received", flat=True)) == {1}
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"seen"}
    assert not DeliveryReport.objects.undispatched().exists()
    assert set(web.heard().values()) == {1}


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_a_server_that_turns_us_away_is_tried_once_for_each_report(
    conn_max_age: int, database: str, tmp_path: Path
) -> None:
    """So the answer takes no longer than the try: nothing is tried again, and nothing waited for."""
    messages = SmsMessageFactory.create_batch(6)
    with outage(tmp_path, conn_max_age=conn_max_age) as (proxy, web):
        # Both threads have a connection, or have had one.
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 6
        proxy.turn_away()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        before = proxy.tries
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 6
        assert proxy.tries == before + 6
        proxy.go_away()
        proxy.come_back()
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 6


# As the README has them.
PATIENT = {
    "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 5000},
    "mysql": {"connect_timeout": 1, "read_timeout": 5, "write_timeout": 5},
}


@pytest.mark.parametrize("conn_max_age", [0, 600])
def test_a_server_that_falls_silent_is_given_up_before_messente_gives_us_up(
    conn_max_age: int, database: str, tmp_path: Path
) -> None:
    if connection.vendor == "postgresql" and conn_max_age:
        pytest.skip("A server that is stuck and keeps a connection is waited for: the README says what ends that")
    messages = SmsMessageFactory.create_batch(2)
    with outage(tmp_path, conn_max_age=conn_max_age, options=PATIENT[connection.vendor]) as (proxy, web):
        assert [status(web, message, "ACCEPTD") for message in messages] == [200] * 2
        proxy.fall_silent()
        assert [status(web, message, "DELIVRD") for message in messages] == [503] * 2
        proxy.speak_again()
        assert [status(web, message, "DELIVRD") for message in messages] == [200] * 2
    # What is written in one round trip may have been written before the server fell silent: it then has come twice.
    told = DeliveryReport.objects.values_list("stat", "times_received")
    assert sorted(stat for stat, _ in told) == ["ACCEPTD", "ACCEPTD", "DELIVRD", "DELIVRD"]
    assert all(times_received == 1 or (stat == "DELIVRD" and times_received == 2) for stat, times_received in told)
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"delivered"}


def test_what_messente_tells_during_an_outage_is_all_recorded_after_its_retries(
    database: str, settings: Any, tmp_path: Path
) -> None:
    # Its five retries outlast the outage also where sending takes its time.
    with Sandbox({"shop": "a-password"}, retry_delay=6) as messente_sandbox, Proxy(upstream()) as proxy:
        url = url_of(connection.settings_dict, connection.vendor, port=proxy.port)
        with Web(tmp_path, url, messente=messente_sandbox.url) as web:
            settings.MESSENTE_DLR = {
                **settings.MESSENTE_DLR,
                "CALLBACK_BASE_URL": web.url,
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
        assert set(web.heard().values()) == {1}
