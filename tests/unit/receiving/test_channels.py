"""A message of several channels fails when all of its channels have failed."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from django_messente_dlr import dispatch, receiving
from django_messente_dlr.messente.parsers import parse_omnichannel, parse_status
from django_messente_dlr.models import DeliveryReport, PendingPoll, ReportOutcome, SmsMessage
from django_messente_dlr.polling.status_requests import StatusRequest
from django_messente_dlr.polling.status_responses import record_reports
from django_messente_dlr.sending import mark_sent, prepare_sms
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog, record_signals

NUMBER = "+37255500000"
OMNI = "an-omni-id"


def payload(channel: str, status: str | None, err: int | None = None, price: str | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {"message_id": f"{channel}-{OMNI}", "channel": channel, "status": status, "err": err}
    return {**values, "price_info": {"total_price": price, "parts_count": 1} if price else None}


def to_body(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode()


def receive(message: SmsMessage, *args: Any, **kwargs: Any) -> None:
    report = parse_omnichannel(to_body({**payload(*args, **kwargs), "omnimessage_id": OMNI, "to": NUMBER}))
    receiving.record(report, account="default", message_key=message.callback_key)
    message.refresh_from_db()


def poll(message: SmsMessage, *channels: tuple[Any, ...]) -> None:
    """Record the status of an omnimessage, as the poller does."""
    body = {"omnimessage_id": OMNI, "to": NUMBER, "statuses": [payload(*channel) for channel in channels]}
    message.refresh_from_db()
    record_reports(StatusRequest((message,)), parse_status(to_body(body)))
    message.refresh_from_db()


def create(count: int | None = 2, **values: Any) -> SmsMessage:
    return SmsMessageFactory.create(
        several_channels=True, omnimessage_id=OMNI, channel_count=count, recipient=NUMBER, **values
    )


@pytest.mark.django_db(transaction=True)
class TestCallbacks:
    def test_record__viber_fails_and_sms_delivers(self, dlr_signals: SignalLog) -> None:
        message = create()
        receive(message, "viber", "UNDELIV", 1, "0.01")
        assert (message.status, message.err, message.next_poll_at is None) == ("sent", None, False)
        receive(message, "sms", "DELIVRD", 0, "0.05")
        assert (message.status, message.channel, message.err) == ("delivered", "sms", 0)
        assert (message.price, message.next_poll_at) == (Decimal("0.05"), None)
        assert [row.outcome for row in message.reports.order_by("pk")] == ["channel_failed", "advanced"]
        assert dlr_signals.names == [
            *("dlr_received", "dlr_channel_failed"),
            *("dlr_received", "dlr_status_changed", "dlr_delivered"),
        ]

    def test_record__signal_names_the_channel(self, dlr_signals: SignalLog) -> None:
        receive(create(), "viber", "UNDELIV", 1)
        assert [arguments["channel"] for name, arguments in dlr_signals if name == "dlr_channel_failed"] == ["viber"]

    @pytest.mark.parametrize("order", [("viber", "sms"), ("sms", "viber")])
    def test_record__all_fail(self, order: tuple[str, str], dlr_signals: SignalLog) -> None:
        message = create()
        errors = {"viber": 1, "sms": 999}
        for channel in order:
            receive(message, channel, "UNDELIV", errors[channel], f"0.0{len(channel)}")
        # SMS is the last channel in the order of sending, whatever arrives last.
        assert (message.status, message.err, message.channel) == ("failed", 999, "sms")
        assert (message.price, message.next_poll_at) == (Decimal("0.03"), None)
        counts = Counter(dlr_signals.names)
        assert counts["dlr_received"] == counts["dlr_channel_failed"] == 2
        assert counts["dlr_failed"] == counts["temporary_failure"] == counts["dlr_status_changed"] == 1
        assert [args["temporary"] for name, args in dlr_signals if name == "dlr_failed"] == [True]

    def test_record__end_while_the_last_channel_is_dispatched(self, dlr_signals: SignalLog) -> None:
        """The process that sent the signals of the last channel marks its report when the other one has ended all."""
        message = create()
        receive(message, "sms", "UNDELIV", 2)
        row = message.reports.get()
        row.dispatch_due_at, row.dispatched_at = row.received_at + dispatch.DISPATCH_LEASE, None
        row.save(update_fields=["dispatch_due_at", "dispatched_at"])
        with transaction.atomic():
            transaction.on_commit(lambda: dispatch.mark_dispatched(row, due_at=row.dispatch_due_at))
            receive(message, "viber", "UNDELIV", 1)
        dispatch.dispatch_overdue(timezone.now() + 2 * dispatch.DISPATCH_LEASE)
        assert (message.status, Counter(dlr_signals.names)["dlr_failed"]) == ("failed", 1)

    def test_record__end_after_a_matched_orphan(self, dlr_signals: SignalLog) -> None:
        """The signals that were sent when the orphan was matched are not sent again."""
        message = prepare_sms(NUMBER)
        channels = [{"message_id": f"{channel}-{OMNI}"} for channel in ("viber", "sms")]
        SmsMessage.objects.filter(pk=message.pk).update(channels=channels)
        report = {**payload("sms", "UNDELIV", 2), "omnimessage_id": OMNI, "to": NUMBER}
        receiving.record(parse_omnichannel(to_body(report)), account="default")
        mark_sent(message, omnimessage_id=OMNI, channel_count=2)
        receive(message, "viber", "UNDELIV", 1)
        assert (message.status, message.err) == ("failed", 2)
        counts = Counter(dlr_signals.names)
        assert (counts["dlr_received"], counts["dlr_channel_failed"], counts["dlr_failed"]) == (2, 2, 1)

    def test_record__delivery_corrects_a_failure_with_all_details(self, dlr_signals: SignalLog) -> None:
        message = create()
        receive(message, "viber", "UNDELIV", 1, "0.01")
        receive(message, "sms", "UNDELIV", 2, "0.05")
        receive(message, "viber", "DELIVRD", 0)
        assert (message.status, message.channel, message.err) == ("delivered", "viber", 0)
        assert (message.price, message.parts) == (None, None)
        assert Counter(dlr_signals.names)["dlr_delivered"] == 1

    @pytest.mark.parametrize("stat", ["DELIVRD", "UNDELIV"])
    def test_record__price_of_an_earlier_channel(self, stat: str) -> None:
        message = create(status="queued", sent_at=None)
        receive(message, "viber", "ACK", None, "0.01")
        assert (message.status, message.price) == ("sent", Decimal("0.01"))
        receive(message, "viber", "UNDELIV", 1)
        receive(message, "sms", stat, None, "0.05")
        assert (message.channel, message.price) == ("sms", Decimal("0.05"))

    def test_record__delivery_of_a_second_channel_adds_nothing(self) -> None:
        message = create()
        receive(message, "viber", "DELIVRD", 0)
        receive(message, "sms", "DELIVRD", 0, "0.05")
        assert (message.channel, message.price, message.reports.latest("pk").outcome) == ("viber", None, "stale")

    def test_record__channel_fails_twice_with_other_words(self, dlr_signals: SignalLog) -> None:
        message = create()
        receive(message, "viber", "UNDELIV", 1)
        receive(message, "viber", "REJECTD", 7)
        assert (message.status, Counter(dlr_signals.names)["dlr_channel_failed"]) == ("sent", 1)
        assert [row.outcome for row in message.reports.order_by("pk")] == ["channel_failed", "stale"]

    def test_record__failure_after_the_end(self, dlr_signals: SignalLog) -> None:
        message = create(count=2)
        for channel in ("viber", "sms", "whatsapp"):
            receive(message, channel, "UNDELIV", 1)
        assert Counter(dlr_signals.names)["dlr_failed"] == 1
        assert (message.status, message.channel) == ("failed", "sms")

    def test_record__failure_after_a_delivery(self) -> None:
        message = create()
        receive(message, "sms", "DELIVRD", 0)
        receive(message, "viber", "UNDELIV", 1)
        assert (message.status, message.reports.latest("pk").outcome) == ("delivered", "stale")

    def test_record__rejected_channel_decides_if_it_is_the_last(self) -> None:
        message = create()
        receive(message, "viber", "UNDELIV", 1)
        receive(message, "sms", "REJECTD", 7)
        assert (message.status, message.err) == ("rejected", 7)

    def test_record__out_of_credits_on_one_channel(self, dlr_signals: SignalLog) -> None:
        AccountFactory.create()
        message = create()
        receive(message, "viber", "REJECTD", 4)
        assert (message.status, "credits_exhausted" in dlr_signals.names) == ("sent", True)

    def test_record__unresolved_message(self) -> None:
        message = create(status="unresolved")
        receive(message, "viber", "UNDELIV", 1)
        assert message.status == "unresolved"
        receive(message, "sms", "UNDELIV", 1)
        assert message.status == "failed"

    def test_record__one_channel_without_its_id(self) -> None:
        message = create(count=1)
        receive(message, "viber", "UNDELIV", 1)
        assert (message.status, message.next_poll_at) == ("failed", None)

    def test_record__one_channel_before_the_answer(self) -> None:
        message = SmsMessageFactory.create(queued=True, channel_count=1, recipient=NUMBER)
        receive(message, "sms", "UNDELIV", 1)
        assert (message.status, message.sms_unique_id, message.omnimessage_id) == ("failed", f"sms-{OMNI}", OMNI)


@pytest.mark.django_db(transaction=True)
class TestUnknownNumberOfChannels:
    def test_record__failures_alone_do_not_end_it(self) -> None:
        message = create(count=None)
        receive(message, "viber", "UNDELIV", 1)
        receive(message, "sms", "UNDELIV", 1)
        assert message.status == "sent"

    def test_mark_sent__brings_the_number(self, dlr_signals: SignalLog) -> None:
        message = prepare_sms(NUMBER)
        for channel in ("viber", "sms"):
            receive(message, channel, "UNDELIV", 2)
        assert (message.status, message.omnimessage_id) == ("queued", OMNI)
        mark_sent(message, omnimessage_id=OMNI, channel_count=2)
        assert (message.status, message.err, message.next_poll_at) == ("failed", 2, None)
        assert Counter(dlr_signals.names)["dlr_failed"] == 1
        assert Counter(dlr_signals.names)["dlr_received"] == 2

    def test_mark_sent__brings_the_id_of_one_channel(self) -> None:
        message = prepare_sms(NUMBER)
        receive(message, "sms", "UNDELIV", 2)
        mark_sent(message, f"sms-{OMNI}", omnimessage_id=OMNI)
        assert (message.status, message.err) == ("failed", 2)

    def test_poll__lists_failures_only(self, dlr_signals: SignalLog) -> None:
        message = create(count=None, channels=[])
        receive(message, "sms", "UNDELIV", 2)
        poll(message, ("viber", "UNDELIV", 1), ("sms", "UNDELIV", 2))
        assert (message.status, message.err, message.channel_count) == ("failed", 2, 2)
        assert Counter(dlr_signals.names)["dlr_failed"] == 1

    @pytest.mark.parametrize("other", [("sms", None), ("sms", "ACK"), ("sms", "UNKNOWN")])
    def test_poll__lists_a_channel_that_has_not_ended(self, other: tuple[str, str | None]) -> None:
        message = create(count=None)
        poll(message, ("viber", "UNDELIV", 1), other)
        assert (message.status, message.next_poll_at is None) == ("sent", False)

    def test_poll__lists_fewer_channels_than_the_number(self) -> None:
        message = create(count=3)
        poll(message, ("viber", "UNDELIV", 1), ("sms", "UNDELIV", 2))
        assert message.status == "sent"

    def test_poll__delivery_after_failure(self, dlr_signals: SignalLog) -> None:
        message = create(count=None)
        poll(message, ("viber", "UNDELIV", 1), ("sms", "DELIVRD", 0, "0.05"))
        assert (message.status, message.channel, message.price) == ("delivered", "sms", Decimal("0.05"))
        assert {"dlr_failed", "dlr_channel_failed"}.isdisjoint(dlr_signals.names)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", list(permutations(["viber", "sms", "message"])))
def test_orphans__any_order(order: tuple[str, ...], dlr_signals: SignalLog) -> None:
    for step in order:
        if step == "message":
            create()
        else:
            body = to_body({**payload(step, "UNDELIV", 2), "omnimessage_id": OMNI, "to": NUMBER})
            receiving.record(parse_omnichannel(body), account="default")
        receiving.match_orphans()
    message = SmsMessage.objects.get()
    assert (message.status, message.channel) == ("failed", "sms")
    assert Counter(dlr_signals.names)["dlr_failed"] == 1
    assert not PendingPoll.objects.exists()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["callback", "poll"]),
        st.sampled_from(["viber", "whatsapp", "sms"]),
        st.sampled_from(["UNDELIV", "REJECTD", "DELIVRD", "SEEN", "ACK"]),
    ),
    max_size=8,
)


class TestProperty(TestCase):
    @settings(max_examples=min(40, settings().max_examples), deadline=None)
    @given(EVENTS)
    def test_record__any_reports(self, events: list[tuple[str, str, str]]) -> None:
        channels = ("viber", "whatsapp", "sms")
        message = create(count=3, channels=[{"channel": c, "message_id": f"{c}-{OMNI}"} for c in channels])
        latest: dict[str, str] = {}
        with record_signals() as log, self.captureOnCommitCallbacks(execute=True):
            for way, channel, status in events:
                latest[channel] = status
                if way == "callback":
                    receive(message, channel, status)
                else:
                    poll(message, *((c, latest.get(c)) for c in channels))
        message.refresh_from_db()
        seen = {(channel, status) for _, channel, status in events}
        failed = {channel for channel, status in seen if status in {"UNDELIV", "REJECTD"}}
        delivered = any(status in {"DELIVRD", "SEEN"} for _, status in seen)
        if delivered:
            assert message.status in {"delivered", "seen"}
        else:
            assert (message.status in {"failed", "rejected"}) == (failed == set(channels))
        assert Counter(log.names)["dlr_delivered"] == int(delivered)
        assert Counter(log.names)["dlr_failed"] <= int(failed == set(channels))
        outcomes = DeliveryReport.objects.filter(outcome=ReportOutcome.CHANNEL_FAILED)
        assert outcomes.count() <= len(failed)
