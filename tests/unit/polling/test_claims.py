"""Claims: any number of pollers work together, and what one of them has taken the others leave alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, connections
from django.utils import timezone

from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.signals import dlr_delivered
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = timedelta(minutes=5)


def claim(count: int = 10) -> list[SmsMessage]:
    return PendingPoll.objects.claim(count, now=timezone.now(), lease=LEASE)


def test_what_is_claimed_nobody_else_gets_until_the_lease_has_run_out() -> None:
    message = due()
    (claimed,) = claim()
    assert claimed == message
    assert claimed.next_poll_at == seen(message).next_poll_at
    assert claim() == []
    later = timezone.now() + LEASE + timedelta(seconds=1)
    assert PendingPoll.objects.claim(10, now=later, lease=LEASE) == [message]


def test_the_longest_overdue_are_claimed_first_and_no_more_than_asked_for() -> None:
    now = timezone.now()
    messages = [due(next_poll_at=now - timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert claim(2) == [messages[1], messages[2]]
    assert claim(2) == [messages[0]]


def test_a_claim_keeps_to_what_the_query_selects() -> None:
    due(account="marketing")
    message = due()
    assert PendingPoll.objects.filter(account="default").claim(10, now=timezone.now(), lease=LEASE) == [message]


def test_of_two_pollers_that_read_the_same_row_one_gets_it() -> None:
    message = due()
    now = timezone.now()
    from django_messente_dlr.models import querysets

    real = querysets._compare_and_swap

    def another_was_quicker(rows: Any, row: Any, field: str, until: Any) -> bool:
        PendingPoll.objects.filter(pk=row.pk).update(due_at=now + LEASE)
        return real(rows, row, field, until)

    with (
        mock.patch.object(querysets, "_compare_and_swap", another_was_quicker),
        mock.patch.object(connection.features, "has_select_for_update_skip_locked", new=False),
    ):
        assert claim() == []
    assert seen(message).next_poll_at == now + LEASE


def test_a_second_poller_that_comes_in_the_middle_asks_about_the_others(messente: Messente) -> None:
    for _ in range(6):
        due()
        messente.answer(FIRST, REPORT, "OK DELIVERED")
    seconds: list[int] = []

    def come_in(**kwargs: object) -> None:
        if not seconds:
            seconds.append(0)
            seconds[0] = Poller(batch_size=2, concurrency=1).run().asked

    dlr_delivered.connect(come_in)
    first = Poller(batch_size=2, concurrency=1).run()
    asked = [call.request.body for call in messente.calls]
    assert len(asked) == len(set(asked)) == 6
    assert first.asked + seconds[0] == 6
    assert first.asked > 0 < seconds[0]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="needs a database that takes several writers at once")
def test_pollers_that_claim_at_the_same_time_get_every_message_once() -> None:
    for _ in range(60):
        due()
    together = threading.Barrier(4)

    def claim_all() -> list[int]:
        claimed: list[int] = []
        together.wait(timeout=60)
        try:
            while batch := claim(3):
                claimed += [message.pk for message in batch]
        finally:
            connections.close_all()
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claims = [done.result() for done in [pool.submit(claim_all) for _ in range(4)]]
    # One whose rows are all being claimed by others may find none and stop: what it left, the next poller gets.
    everything = [pk for claimed in claims for pk in claimed] + [message.pk for message in claim(60)]
    assert len(everything) == len(set(everything)) == 60


def test_a_poller_that_dies_leaves_its_messages_to_the_next_when_the_lease_has_run_out(messente: Messente) -> None:
    message = due()
    (claimed,) = claim()  # and here it dies
    assert Poller().run().asked == 0
    assert seen(message).next_poll_at == claimed.next_poll_at
    make_due(message)  # the lease has run out
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller().run().final == 1


def test_what_was_claimed_too_long_ago_is_not_asked_about_any_more(messente: Messente, settings: Any) -> None:
    """Another poller may have it by now."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "POLL_LEASE": 0.000001}
    message = due()
    assert Poller(limit=1).run().asked == 0
    assert seen(message).status == "sent"
    assert messente.hosts_asked() == []


def test_a_run_may_last_longer_than_a_lease(messente: Messente) -> None:
    """Each of its claims is as long as the first."""
    messages = [due() for _ in range(5)]
    began, passed = timezone.now(), [timedelta(0)]

    def answer(request: object) -> tuple[int, dict[str, str], str]:
        passed[0] += timedelta(minutes=3)
        return 200, {}, "OK DELIVERED"

    messente.add_callback("POST", f"{FIRST}/{REPORT}/", answer)
    with mock.patch.object(timezone, "now", side_effect=lambda: began + passed[0]):
        summary = Poller(batch_size=1, concurrency=1).run()
    assert (summary.asked, summary.final, summary.postponed) == (5, 5, 0)
    assert {seen(message).status for message in messages} == {"delivered"}


def test_no_transaction_is_open_while_messente_is_asked(messente: Messente) -> None:
    open_transactions: list[bool] = []

    def answer(request: object) -> tuple[int, dict[str, str], str]:
        open_transactions.append(connection.in_atomic_block)
        return 200, {}, "OK DELIVERED"

    due()
    messente.add_callback("POST", f"{FIRST}/{REPORT}/", answer)
    assert Poller().run().final == 1
    assert open_transactions == [False]


@pytest.mark.parametrize(("batch_size", "concurrency"), [(1, 1), (2, 16), (500, 3)])
def test_every_message_is_asked_about_whatever_the_sizes(
    batch_size: int, concurrency: int, messente: Messente
) -> None:
    messages = [due() for _ in range(7)]
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    summary = Poller(batch_size=batch_size, concurrency=concurrency).run()
    assert (summary.asked, summary.final) == (7, 7)
    assert sorted(messente.body(index)["sms_unique_id"] for index in range(7)) == sorted(
        str(message.sms_unique_id) for message in messages
    )


def test_a_limit_ends_the_run_and_leaves_the_rest_unclaimed(messente: Messente) -> None:
    for _ in range(5):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller(limit=3).run().asked == 3
    assert SmsMessage.objects.due(timezone.now()).count() == 2
