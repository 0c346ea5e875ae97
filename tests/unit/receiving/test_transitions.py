"""What a report leaves on its message: all that it tells, once, and at the same rank only what was missing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.receiving import lookup
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_path")]


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create(sms_unique_id="an-id")


def tell(message: SmsMessage, status: str, err: int | None = None, **more: Any) -> str:
    """Have Messente post a report, and return what that did."""
    payload = {"message_id": message.sms_unique_id, "status": status, "err": err, **more}
    assert simulate_omnichannel_callback(payload).status_code == 200
    message.refresh_from_db()
    return message.reports.latest("pk").outcome


def priced(price: str | None, parts: int | None) -> dict[str, Any]:
    return {"price_info": {"total_price": price, "parts_count": parts}}


def final_at(message: SmsMessage) -> datetime | None:
    message.refresh_from_db()
    return message.finalised_at


def test_a_message_says_all_that_its_report_has_told(message: SmsMessage) -> None:
    assert tell(message, "UNDELIV", 1, error="Unknown subscriber", channel="viber", **priced("0.2", 2)) == "advanced"
    assert (message.status, message.stat, message.err) == ("failed", "UNDELIV", 1)
    assert (message.error_text, message.channel) == ("Unknown subscriber", "viber")
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


def test_a_channel_that_is_not_told_stays_what_it_was() -> None:
    message = SmsMessageFactory.create(sms_unique_id="an-id", channel="viber")
    tell(message, "DELIVRD", 0)
    assert message.channel == "viber"


def test_a_later_report_replaces_what_an_earlier_one_has_told_of_its_end(message: SmsMessage) -> None:
    tell(message, "UNDELIV", 1, error="Unknown subscriber", **priced("0.2", 2))
    assert tell(message, "DELIVRD", 0, **priced("0.3", 3)) == "advanced"
    assert (message.stat, message.err, message.error_text) == ("DELIVRD", 0, "")
    # What it has cost is known, and does not change.
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


@pytest.mark.parametrize(("known", "ends"), [((None, 1), ("0.2", 1)), (("0.1", None), ("0.1", 2))])
def test_of_price_and_parts_a_report_adds_what_is_missing(
    known: tuple[str | None, int | None], ends: tuple[str, int]
) -> None:
    price, parts = known
    message = SmsMessageFactory.create(sms_unique_id="an-id", price=price, parts=parts)
    assert tell(message, "DELIVRD", 0, **priced("0.2", 2)) == "advanced"
    assert (message.price, message.parts) == (Decimal(ends[0]), ends[1])


class TestWhenItIsFinal:
    def test_is_when_its_end_was_received(self, message: SmsMessage) -> None:
        simulate_callback(message, "UNDELIV", "1")
        assert final_at(message) == message.reports.get().received_at

    @pytest.mark.parametrize("stat", ["ACCEPTD", "PONDERD"])
    def test_is_not_known_as_long_as_it_may_be_delivered(self, stat: str) -> None:
        message = SmsMessageFactory.create(queued=True)
        simulate_callback(message, stat)
        assert final_at(message) is None

    def test_is_when_it_was_delivered_where_that_corrects_a_failure(self, message: SmsMessage) -> None:
        simulate_callback(message, "UNDELIV", "1")
        simulate_callback(message, "DELIVRD")
        assert final_at(message) == message.reports.latest("pk").received_at

    def test_is_when_it_was_delivered_where_it_is_seen_afterwards(self, message: SmsMessage) -> None:
        simulate_callback(message, "DELIVRD")
        simulate_callback(message, "SEEN")
        assert final_at(message) == message.reports.earliest("pk").received_at

    def test_is_when_it_was_seen_where_its_delivery_was_not_told(self, message: SmsMessage) -> None:
        simulate_callback(message, "SEEN")
        assert final_at(message) == message.reports.get().received_at


class TestAtTheSameRank:
    def test_a_cause_is_added_and_told(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        simulate_callback(message, "FAILED")
        ended = final_at(message)
        dlr_signals.clear()
        assert tell(message, "UNDELIV", 999) == "enriched"
        assert (message.stat, message.err, message.finalised_at) == ("FAILED", 999, ended)
        assert dlr_signals.names == ["dlr_received", "temporary_failure"]

    @pytest.mark.parametrize("err", [None, 0, 2, 999])
    def test_a_cause_that_is_known_stays(self, message: SmsMessage, err: int | None, dlr_signals: SignalLog) -> None:
        simulate_callback(message, "UNDELIV", "1")
        ended = final_at(message)
        dlr_signals.clear()
        assert tell(message, "EXPIRED", err) == "stale"
        assert (message.stat, message.err, message.finalised_at) == ("UNDELIV", 1, ended)
        assert dlr_signals.names == ["dlr_received"]

    @pytest.mark.parametrize("err", [None, 0])
    def test_that_there_is_no_cause_is_no_news(self, message: SmsMessage, err: int | None) -> None:
        simulate_callback(message, "FAILED")
        assert tell(message, "UNDELIV", err) == "stale"
        assert message.err is None

    def test_an_err_of_what_has_not_failed_is_no_cause(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        assert tell(message, "ACCEPTD", 999) == "stale"
        assert message.err is None
        assert dlr_signals.names == ["dlr_received"]

    def test_a_text_a_price_and_parts_are_added_and_what_is_there_stays(
        self, message: SmsMessage, dlr_signals: SignalLog
    ) -> None:
        tell(message, "REJECTD", 7)
        dlr_signals.clear()
        assert tell(message, "REJECTD", 6, error="No such sender", **priced("0.2", None)) == "enriched"
        assert tell(message, "REJECTD", 4, error="Something else", **priced("0.9", 2)) == "enriched"
        assert tell(message, "REJECTD", 8, error="A third", **priced("0.7", 3)) == "stale"
        assert (message.err, message.error_text) == (7, "No such sender")
        assert (message.price, message.parts) == (Decimal("0.2"), 2)
        assert dlr_signals.names == ["dlr_received"] * 3

    @pytest.mark.parametrize(
        ("stat", "err", "ends"), [("UNDELIV", "2", ("failed", 2)), ("DELIVRD", "", ("delivered", None))]
    )
    def test_a_cause_is_not_added_to_what_another_report_has_made_of_it_meanwhile(
        self, message: SmsMessage, stat: str, err: str, ends: tuple[str, int | None]
    ) -> None:
        def find_and_be_overtaken(address: Any, **options: Any) -> SmsMessage | None:
            found = lookup.find_message(address, **options)
            if not overtaken:
                overtaken.append(stat)
                simulate_callback(message, stat, err)
            return found

        overtaken: list[str] = []
        simulate_callback(message, "FAILED")
        with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_be_overtaken):
            assert simulate_callback(message, "UNDELIV", "1").status_code == 200
        message.refresh_from_db()
        assert overtaken
        assert (message.status, message.err) == ends
        assert message.reports.latest("pk").outcome == "stale"
