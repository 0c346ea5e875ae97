"""The status and the signals of every documented report, through the requests that Messente sends."""

from __future__ import annotations

import itertools

import pytest
from django.http import HttpResponse
from django.test import Client

from django_messente_dlr.callbacks import callback_url
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.receiving import record
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_path")]

RECEIVED = ["dlr_received"]
CHANGED = [*RECEIVED, "dlr_status_changed"]
DELIVERED = [*CHANGED, "dlr_delivered"]
SEEN = [*CHANGED, "dlr_delivered", "dlr_seen"]
FAILED = [*CHANGED, "dlr_failed"]
TEMPORARY = [*FAILED, "temporary_failure"]
OUT_OF_CREDITS = [*FAILED, "credits_exhausted"]
IDENTICAL = [*FAILED, "identical_messages_blocked"]
SENDER = [*FAILED, "sender_not_allowed"]

# stat, err, the status that a queued message gets, and the signals. Source: Messente's documentation, "Delivery
# Report".
TABLE: list[tuple[str, str, str, list[str]]] = [
    *(("DELIVRD", err, "delivered", DELIVERED) for err in ("", "0", "000", "1", "4", "004", "10", "999", "77", "x")),
    ("delivrd", "", "delivered", DELIVERED),
    ("SEEN", "10", "seen", SEEN),
    ("SEEN", "", "seen", SEEN),
    ("Seen", "0", "seen", SEEN),
    *(("ACCEPTD", err, "sent", CHANGED) for err in ("", "0")),
    *(("ACK", err, "sent", CHANGED) for err in ("", "0")),
    *(("UNKNOWN", err, "sent", CHANGED) for err in ("", "0", "000", "77")),
    ("UNKNOWN", "1", "failed", FAILED),
    ("UNKNOWN", "4", "rejected", OUT_OF_CREDITS),
    ("UNKNOWN", "10", "seen", SEEN),
    *(
        (stat, err, "failed", FAILED)
        for stat in ("UNDELIV", "FAILED", "EXPIRED", "DELETED", "NACK")
        for err in ("", "0", "000", "1", "001", "2", "3", "5", "77")
    ),
    *(
        (stat, err, status, signals)
        for stat in ("UNDELIV", "FAILED", "EXPIRED", "DELETED", "NACK", "REJECTD")
        for err, status, signals in (
            ("4", "rejected", OUT_OF_CREDITS),
            ("004", "rejected", OUT_OF_CREDITS),
            ("6", "rejected", IDENTICAL),
            ("7", "rejected", SENDER),
            ("8", "rejected", FAILED),
            ("9", "rejected", FAILED),
        )
    ),
    *((stat, "999", "failed", TEMPORARY) for stat in ("UNDELIV", "FAILED", "EXPIRED", "DELETED", "NACK")),
    *(("REJECTD", err, "rejected", FAILED) for err in ("", "0", "1")),
    ("PONDERD", "", "queued", RECEIVED),
    ("PONDERD", "77", "queued", RECEIVED),
    ("PONDERD", "1", "failed", FAILED),
    ("", "7", "rejected", SENDER),
]


def status_and_signals(message: SmsMessage, log: SignalLog) -> tuple[str, list[str]]:
    message.refresh_from_db()
    return message.status, log.names


@pytest.mark.parametrize(("stat", "err", "status", "signals"), TABLE)
def test_get_callback__sets_status_and_sends_signals(
    stat: str, err: str, status: str, signals: list[str], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create(queued=True)
    response = simulate_callback(message, stat, err, sms_unique_id="an-id")
    assert (response.status_code, response.content) == (200, b"OK")
    assert status_and_signals(message, dlr_signals) == (status, signals)
    assert message.sms_unique_id == "an-id"


@pytest.mark.parametrize(("stat", "err", "status", "signals"), TABLE)
def test_signed_post__sets_status_and_sends_signals(
    stat: str, err: str, status: str, signals: list[str], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create(queued=True, omnimessage_id="an-omni-id", channel_count=1)
    # A number, as Messente sends it. tests.unit.messente.test_parse_omnichannel has the other types.
    err_value = int(err) if err.isdigit() else err
    payload = {"message_id": "an-id", "omnimessage_id": "an-omni-id", "status": stat, "err": err_value}
    assert simulate_omnichannel_callback(payload).status_code == 200
    assert status_and_signals(message, dlr_signals) == (status, signals)


@pytest.mark.parametrize(
    ("query", "status", "signals"),
    [
        ("status=DELIVERED", "delivered", DELIVERED),
        ("status=FAILED", "failed", FAILED),
        ("status=SENT", "sent", CHANGED),
        ("dlr-mask=1", "delivered", DELIVERED),
        ("dlr-mask=2", "failed", FAILED),
        ("dlr-mask=16", "failed", FAILED),
        ("dlr-mask=4", "sent", CHANGED),
        ("dlr-mask=8", "sent", CHANGED),
        ("dlr-mask=3", "queued", RECEIVED),
        ("stat=DELIVRD&status=FAILED&dlr-mask=2", "delivered", DELIVERED),
        ("status=DELIVERED&dlr-mask=2", "delivered", DELIVERED),
        ("stat=PONDERD&status=DELIVERED", "delivered", DELIVERED),
    ],
)
def test_older_parameters__set_status_and_send_signals(
    query: str, status: str, signals: list[str], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create(queued=True)
    path = message.callback_url.removeprefix("https://shop.example.com")
    assert Client().get(f"{path}?sms_unique_id=an-id&{query}").status_code == 200
    assert status_and_signals(message, dlr_signals) == (status, signals)


@pytest.mark.parametrize(
    ("response", "status", "signals"),
    [
        ("OK DELIVERED", "delivered", DELIVERED),
        ("OK FAILED", "failed", FAILED),
        ("OK SENT", "sent", CHANGED),
    ],
)
def test_status_response__sets_status_and_sends_signals(
    response: str, status: str, signals: list[str], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create(queued=True)
    report = parse_answer(response, sms_unique_id="an-id")
    assert report is not None
    record(report, account=message.account, message_key=message.callback_key)
    assert status_and_signals(message, dlr_signals) == (status, signals)


def test_get_callback__accepts_the_documented_example() -> None:
    message = SmsMessageFactory.create(sms_unique_id="sms123")
    path = callback_url().removeprefix("https://shop.example.com")
    response = Client().get(f"{path}?sms_unique_id=sms123&stat=DELIVRD&err=")
    assert (response.status_code, response.content) == (200, b"OK")
    message.refresh_from_db()
    assert message.status == "delivered"


def test_signed_post__accepts_the_documented_example() -> None:
    message = SmsMessageFactory.create(sms_unique_id="11111111-1111-4111-8111-111111111111")
    response = simulate_omnichannel_callback(
        {
            "status": "DELIVRD",
            "sender": "Shop",
            "err": 0,
            "message_id": "11111111-1111-4111-8111-111111111111",
            "to": "+37255500000",
            "channel": "sms",
            "error": None,
            "omnimessage_id": "22222222-2222-4222-8222-222222222222",
            "timestamp": "2024-05-06T07:08:09.123456",
            "price_info": {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"},
        }
    )
    assert response.status_code == 200
    message.refresh_from_db()
    report = message.reports.get()
    assert (message.status, str(message.price), message.parts) == ("delivered", "0.200000", 2)
    assert report.occurred_at is not None
    assert report.occurred_at.isoformat() == "2024-05-06T07:08:09.123456+00:00"
    assert report.payload["price_info"]["part_price"] == "0.1"


REPORTS = [("ACCEPTD", ""), ("UNDELIV", "1"), ("REJECTD", "7"), ("DELIVRD", "0"), ("FAILED", "")]


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)))
def test_report_order__does_not_change_the_final_status(
    order: tuple[tuple[str, str], ...], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()
    for stat, err in order:
        assert simulate_callback(message, stat, err).status_code == 200
    message.refresh_from_db()
    assert (message.status, message.rank, message.err) == ("delivered", 50, 0)
    assert dlr_signals.names.count("dlr_delivered") == 1
    assert dlr_signals.names.count("dlr_failed") <= 1
    assert dlr_signals.names.count("dlr_received") == len(order)


@pytest.mark.parametrize("order", list(itertools.permutations([("FAILED", ""), ("UNDELIV", "1"), ("REJECTD", "7")])))
def test_failure_order__does_not_change_the_final_status(
    order: tuple[tuple[str, str], ...], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()
    for stat, err in order:
        simulate_callback(message, stat, err)
    message.refresh_from_db()
    assert (message.status, message.err) == ("rejected", 7)
    assert dlr_signals.names.count("dlr_failed") == 1
    assert dlr_signals.names.count("sender_not_allowed") == 1


def test_duplicates__are_one_report_with_one_set_of_signals(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create()
    responses: list[HttpResponse] = [simulate_callback(message) for _ in range(6)]
    assert [(response.status_code, response.content) for response in responses] == [(200, b"OK")] * 6
    assert DeliveryReport.objects.get().times_received == 6
    assert dlr_signals.names == DELIVERED
    message.refresh_from_db()
    assert message.status == "delivered"


def test_duplicates__at_message_and_account_urls_are_one_report() -> None:
    message = SmsMessageFactory.create(sms_unique_id="an-id")
    simulate_callback(message)
    path = callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD", "err": ""}).status_code == 200
    assert DeliveryReport.objects.get().times_received == 2


def test_report_without_id__belongs_to_the_message_of_its_url() -> None:
    for message in SmsMessageFactory.create_batch(2):
        assert simulate_callback(message, sms_unique_id="").status_code == 200
        message.refresh_from_db()
        assert (message.status, message.reports.get().times_received) == ("delivered", 1)


def test_signals__have_the_documented_arguments(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create()
    simulate_callback(message, "UNDELIV", "999")
    report = message.reports.get()
    arguments = {"message": message, "report": report}
    assert dlr_signals == [
        ("dlr_received", arguments),
        ("dlr_status_changed", {**arguments, "previous": "sent"}),
        ("dlr_failed", {**arguments, "temporary": True, "will_resend": False}),
        ("temporary_failure", arguments),
    ]
    dlr_signals.clear()
    other = SmsMessageFactory.create()
    simulate_callback(other, "REJECTD", "4")
    assert dlr_signals.arguments("dlr_failed")["temporary"] is False
    assert dlr_signals.arguments("credits_exhausted") == {
        "message": other,
        "report": other.reports.get(),
        "account": "default",
    }
