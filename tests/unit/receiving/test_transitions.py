"""The columns that a report sets on its message. A report of the same rank sets only columns that are empty."""

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


def post_report(message: SmsMessage, status: str, err: int | None = None, **fields: Any) -> str:
    """Post a signed report and return its outcome."""
    payload = {"message_id": message.sms_unique_id, "status": status, "err": err, **fields}
    assert simulate_omnichannel_callback(payload).status_code == 200
    message.refresh_from_db()
    return message.reports.latest("pk").outcome


def price_info(price: str | None, parts: int | None) -> dict[str, Any]:
    return {"price_info": {"total_price": price, "parts_count": parts}}


def finalised_at(message: SmsMessage) -> datetime | None:
    message.refresh_from_db()
    return message.finalised_at


def test_report__sets_all_columns_of_the_message(message: SmsMessage) -> None:
    assert (
        post_report(message, "UNDELIV", 1, error="Unknown subscriber", channel="viber", **price_info("0.2", 2))
        == "advanced"
    )
    assert (message.status, message.stat, message.err) == ("failed", "UNDELIV", 1)
    assert (message.error_text, message.channel) == ("Unknown subscriber", "viber")
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


def test_report__without_channel_keeps_the_channel() -> None:
    message = SmsMessageFactory.create(sms_unique_id="an-id", channel="viber")
    post_report(message, "DELIVRD", 0)
    assert message.channel == "viber"


def test_report__of_higher_rank_replaces_the_cause(message: SmsMessage) -> None:
    post_report(message, "UNDELIV", 1, error="Unknown subscriber", **price_info("0.2", 2))
    assert post_report(message, "DELIVRD", 0, **price_info("0.3", 3)) == "advanced"
    assert (message.stat, message.err, message.error_text) == ("DELIVRD", 0, "")
    # A price and a number of parts are kept once they are stored.
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


@pytest.mark.parametrize(("stored", "expected"), [((None, 1), ("0.2", 1)), (("0.1", None), ("0.1", 2))])
def test_report__adds_a_missing_price_or_parts(
    stored: tuple[str | None, int | None], expected: tuple[str, int]
) -> None:
    price, parts = stored
    message = SmsMessageFactory.create(sms_unique_id="an-id", price=price, parts=parts)
    assert post_report(message, "DELIVRD", 0, **price_info("0.2", 2)) == "advanced"
    assert (message.price, message.parts) == (Decimal(expected[0]), expected[1])


class TestFinalisedAt:
    def test_finalised_at__is_the_time_of_the_final_report(self, message: SmsMessage) -> None:
        simulate_callback(message, "UNDELIV", "1")
        assert finalised_at(message) == message.reports.get().received_at

    @pytest.mark.parametrize("stat", ["ACCEPTD", "PONDERD"])
    def test_finalised_at__is_none_without_a_final_report(self, stat: str) -> None:
        message = SmsMessageFactory.create(queued=True)
        simulate_callback(message, stat)
        assert finalised_at(message) is None

    def test_finalised_at__changes_if_delivered_after_a_failure(self, message: SmsMessage) -> None:
        simulate_callback(message, "UNDELIV", "1")
        simulate_callback(message, "DELIVRD")
        assert finalised_at(message) == message.reports.latest("pk").received_at

    def test_finalised_at__is_kept_if_seen_after_delivery(self, message: SmsMessage) -> None:
        simulate_callback(message, "DELIVRD")
        simulate_callback(message, "SEEN")
        assert finalised_at(message) == message.reports.earliest("pk").received_at

    def test_finalised_at__is_set_if_seen_without_delivery(self, message: SmsMessage) -> None:
        simulate_callback(message, "SEEN")
        assert finalised_at(message) == message.reports.get().received_at


class TestSameRank:
    def test_cause__is_added_and_sends_its_signal(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        simulate_callback(message, "FAILED")
        finalised = finalised_at(message)
        dlr_signals.clear()
        assert post_report(message, "UNDELIV", 999) == "enriched"
        assert (message.stat, message.err, message.finalised_at) == ("FAILED", 999, finalised)
        assert dlr_signals.names == ["dlr_received", "temporary_failure"]

    @pytest.mark.parametrize("err", [None, 0, 2, 999])
    def test_cause__is_not_replaced(self, message: SmsMessage, err: int | None, dlr_signals: SignalLog) -> None:
        simulate_callback(message, "UNDELIV", "1")
        finalised = finalised_at(message)
        dlr_signals.clear()
        assert post_report(message, "EXPIRED", err) == "stale"
        assert (message.stat, message.err, message.finalised_at) == ("UNDELIV", 1, finalised)
        assert dlr_signals.names == ["dlr_received"]

    @pytest.mark.parametrize("err", [None, 0])
    def test_cause__missing_in_the_report_changes_nothing(self, message: SmsMessage, err: int | None) -> None:
        simulate_callback(message, "FAILED")
        assert post_report(message, "UNDELIV", err) == "stale"
        assert message.err is None

    def test_cause__of_a_failure_decides_for_a_stat_that_is_not_final(
        self, message: SmsMessage, dlr_signals: SignalLog
    ) -> None:
        assert post_report(message, "ACCEPTD", 999) == "advanced"
        assert (message.status, message.err) == ("failed", 999)
        assert dlr_signals.names[-2:] == ["dlr_failed", "temporary_failure"]

    def test_cause__is_not_stored_for_a_delivery(self, message: SmsMessage) -> None:
        assert post_report(message, "DELIVRD", 999) == "advanced"
        assert (message.status, message.err) == ("delivered", None)
        assert not SmsMessage.objects.caused_by(999).exists()

    def test_stat__is_added_to_a_sent_message(self, message: SmsMessage) -> None:
        assert post_report(message, "ACCEPTD") == "enriched"
        assert post_report(message, "UNKNOWN") == "stale"
        assert (message.status, message.stat) == ("sent", "ACCEPTD")

    def test_cause__is_kept_by_a_later_report_without_one(self, message: SmsMessage) -> None:
        post_report(message, "UNDELIV", 999)
        assert post_report(message, "REJECTD", None) == "advanced"
        assert (message.status, message.err) == ("rejected", 999)

    def test_error_text_price_and_parts__are_added_once(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        post_report(message, "REJECTD", 7)
        dlr_signals.clear()
        assert post_report(message, "REJECTD", 6, error="No such sender", **price_info("0.2", None)) == "enriched"
        assert post_report(message, "REJECTD", 4, error="Something else", **price_info("0.9", 2)) == "enriched"
        assert post_report(message, "REJECTD", 8, error="A third", **price_info("0.7", 3)) == "stale"
        assert (message.err, message.error_text) == (7, "No such sender")
        assert (message.price, message.parts) == (Decimal("0.2"), 2)
        assert dlr_signals.names == ["dlr_received", "dlr_received", "credits_exhausted", "dlr_received"]

    @pytest.mark.parametrize(
        ("stat", "err", "expected"), [("UNDELIV", "2", ("failed", 2)), ("DELIVRD", "", ("delivered", None))]
    )
    def test_cause__is_not_added_after_a_concurrent_report(
        self, message: SmsMessage, stat: str, err: str, expected: tuple[str, int | None]
    ) -> None:
        def find_and_interfere(target: Any, **options: Any) -> SmsMessage | None:
            found_message = lookup.find_message(target, **options)
            if not other_reports:
                other_reports.append(stat)
                simulate_callback(message, stat, err)
            return found_message

        other_reports: list[str] = []
        simulate_callback(message, "FAILED")
        with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_interfere):
            assert simulate_callback(message, "UNDELIV", "1").status_code == 200
        message.refresh_from_db()
        assert other_reports
        assert (message.status, message.err) == expected
        assert message.reports.latest("pk").outcome == "stale"
