"""Messente is not reachable: a run wastes few time-outs, and its messages are postponed and not unresolved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import responses
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling import Poller, PollOutcome, poll_now
from tests.unit.messente.answering import BACKUP, FIRST, OMNICHANNEL, Messente, no_connection_in_time
from tests.unit.polling.rows import REPORT, WINDOW, due, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _circuit_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a circuit open until the end of the test, also on a busy machine."""
    monkeypatch.setattr("django_messente_dlr.messente.circuit_breaker.OPEN_SECONDS", 3600.0)


def test_run__first_host_is_down(messente: Messente) -> None:
    for _ in range(40):
        due()
    messente.answer(FIRST, REPORT, no_connection_in_time())
    messente.answer(BACKUP, REPORT, "OK DELIVERED")
    summary = Poller(concurrency=4).run()
    assert (summary.asked, summary.final, summary.failed) == (40, 40, 0)
    assert messente.hosts_asked().count(FIRST) <= 4


def test_run__all_hosts_down_postpones_messages(messente: Messente) -> None:
    messages = [due(ago=WINDOW + timedelta(hours=1)) for _ in range(3)]
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, no_connection_in_time())
    before = timezone.now()
    summary = Poller(concurrency=1).run()
    assert (summary.asked, summary.failed, summary.postponed) == (1, 1, 2)
    postponed = [row for row in map(seen, messages) if row.status == "sent"]
    assert len(postponed) == 2
    assert all(row.poll_count == 0 and row.next_poll_at and row.next_poll_at > before for row in postponed)


def test_run__all_hosts_down_ends_the_run(messente: Messente) -> None:
    for _ in range(40):
        due()
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, no_connection_in_time())
    summary = Poller(concurrency=1, batch_size=5).run()
    assert len(messente.calls) == 2
    assert summary.asked == 1
    assert SmsMessage.objects.due(timezone.now()).count() > 20


def test_run__one_api_is_down(messente: Messente) -> None:
    for number in range(4):
        due(omnimessage_id=f"omni-{number}")
        due()
    for number in range(4):
        url = f"{OMNICHANNEL}/omnimessage/omni-{number}/status"
        response = responses.Response(responses.GET, url, body=no_connection_in_time())
        messente.add(response)
    messente.assert_all_requests_are_fired = False
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    summary = Poller(concurrency=1).run()
    assert (summary.final, summary.failed, summary.postponed) == (4, 1, 3)


def test_poll_now__all_hosts_are_down(messente: Messente, settings: Any) -> None:
    messages = [due() for _ in range(2)]
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, no_connection_in_time())
    first, second = poll_now(messages)
    assert (first.outcome, second.outcome) == (PollOutcome.STILL_PENDING, PollOutcome.NOT_ASKED)
    assert "could not be reached" in first.error
    assert "failed recently" in second.error
