"""Claims: any number of pollers run at the same time, and none polls a message that another one has claimed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, connections
from django.utils import timezone

from django_messente_dlr.messente.client import MessenteClient
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.signals import dlr_delivered
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = timedelta(minutes=5)


def claim(count: int = 10) -> list[SmsMessage]:
    return PendingPoll.objects.claim(count, now=timezone.now(), lease=LEASE)


def test_claim__lasts_until_lease_expires() -> None:
    message = due()
    (claimed,) = claim()
    assert claimed == message
    assert claimed.next_poll_at == seen(message).next_poll_at
    assert claim() == []
    later = timezone.now() + LEASE + timedelta(seconds=1)
    assert PendingPoll.objects.claim(10, now=later, lease=LEASE) == [message]


def test_claim__longest_overdue_first() -> None:
    now = timezone.now()
    messages = [due(next_poll_at=now - timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert claim(2) == [messages[1], messages[2]]
    assert claim(2) == [messages[0]]


def test_claim__filtered_queryset() -> None:
    due(account="marketing")
    message = due()
    assert PendingPoll.objects.filter(account="default").claim(10, now=timezone.now(), lease=LEASE) == [message]


def test_claim__two_pollers_read_the_same_row() -> None:
    message = due()
    now = timezone.now()
    from django_messente_dlr.models import claims

    compare_and_swap = claims._compare_and_swap

    def after_another_claim(rows: Any, row: Any, field: str, until: Any) -> bool:
        PendingPoll.objects.filter(pk=row.pk).update(due_at=now + LEASE)
        return compare_and_swap(rows, row, field, until)

    with (
        mock.patch.object(claims, "_compare_and_swap", after_another_claim),
        mock.patch.object(connection.features, "has_select_for_update_skip_locked", new=False),
    ):
        assert claim() == []
    assert seen(message).next_poll_at == now + LEASE


def test_run__second_poller_takes_other_messages(messente: Messente) -> None:
    for _ in range(6):
        due()
        messente.answer(FIRST, REPORT, "OK DELIVERED")
    asked_by_second: list[int] = []

    def run_second(**kwargs: object) -> None:
        if not asked_by_second:
            asked_by_second.append(0)
            asked_by_second[0] = Poller(batch_size=2, concurrency=1).run().asked

    dlr_delivered.connect(run_second)
    first = Poller(batch_size=2, concurrency=1).run()
    bodies = [call.request.body for call in messente.calls]
    assert len(bodies) == len(set(bodies)) == 6
    assert first.asked + asked_by_second[0] == 6
    assert first.asked > 0 < asked_by_second[0]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="needs a database that takes several writers at once")
def test_claim__concurrent_pollers() -> None:
    for _ in range(60):
        due()
    barrier = threading.Barrier(4)

    def claim_all() -> list[int]:
        claimed: list[int] = []
        barrier.wait(timeout=60)
        try:
            while batch := claim(3):
                claimed += [message.pk for message in batch]
        finally:
            connections.close_all()
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claims = [done.result() for done in [pool.submit(claim_all) for _ in range(4)]]
    # A poller stops when the others are claiming all rows that it reads. The next claim gets the remaining ones.
    keys = [pk for claimed in claims for pk in claimed] + [message.pk for message in claim(60)]
    assert len(keys) == len(set(keys)) == 60


def test_run__after_another_poller_died(messente: Messente) -> None:
    message = due()
    (claimed,) = claim()  # the poller dies after this
    assert Poller().run().asked == 0
    assert seen(message).next_poll_at == claimed.next_poll_at
    make_due(message)  # the lease has expired
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller().run().final == 1


def test_run__expired_claim_is_not_polled(messente: Messente, settings: Any) -> None:
    """Another poller may have claimed it."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "POLL_LEASE": 0.000001}
    message = due()
    assert Poller(limit=1).run().asked == 0
    assert seen(message).status == "sent"
    assert messente.hosts_asked() == []


def test_run__longer_than_a_lease(messente: Messente) -> None:
    """The lease of each claim begins at the time of the claim."""
    messages = [due() for _ in range(5)]
    started, elapsed = timezone.now(), [timedelta(0)]

    def answer(request: object) -> tuple[int, dict[str, str], str]:
        elapsed[0] += timedelta(minutes=3)
        return 200, {}, "OK DELIVERED"

    messente.add_callback("POST", f"{FIRST}/{REPORT}/", answer)
    with mock.patch.object(timezone, "now", side_effect=lambda: started + elapsed[0]):
        summary = Poller(batch_size=1, concurrency=1).run()
    assert (summary.asked, summary.final, summary.postponed) == (5, 5, 0)
    assert {seen(message).status for message in messages} == {"delivered"}


def test_run__no_transaction_during_request(messente: Messente) -> None:
    open_transactions: list[bool] = []
    get_report = MessenteClient.get_report

    def observe(client: MessenteClient, sms_unique_id: str) -> Report | None:
        # In the thread that polls. The client makes the request in another one.
        open_transactions.append(connection.in_atomic_block)
        return get_report(client, sms_unique_id)

    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    with mock.patch.object(MessenteClient, "get_report", observe):
        assert Poller().run().final == 1
    assert open_transactions == [False]


@pytest.mark.parametrize(("batch_size", "concurrency"), [(1, 1), (2, 16), (500, 3)])
def test_run__batch_size_and_concurrency(batch_size: int, concurrency: int, messente: Messente) -> None:
    messages = [due() for _ in range(7)]
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    summary = Poller(batch_size=batch_size, concurrency=concurrency).run()
    assert (summary.asked, summary.final) == (7, 7)
    assert sorted(messente.body(index)["sms_unique_id"] for index in range(7)) == sorted(
        str(message.sms_unique_id) for message in messages
    )


def test_run__limit_leaves_the_rest_unclaimed(messente: Messente) -> None:
    for _ in range(5):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller(limit=3).run().asked == 3
    assert SmsMessage.objects.due(timezone.now()).count() == 2
