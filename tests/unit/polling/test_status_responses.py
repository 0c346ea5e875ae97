"""The responses to status requests: each of them, from both hosts, readable or not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
import responses
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling import Poller, status_responses
from django_messente_dlr.polling.status_requests import StatusRequest
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.messente.answering import (
    BACKUP,
    FIRST,
    MAY_HAVE_ARRIVED,
    NEVER_LEFT,
    OMNICHANNEL,
    Messente,
)
from tests.unit.polling.rows import REPORT, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)

UNREADABLE = [
    "OK",
    "ERROR",
    "ERROR 999",
    "FAILED 999",
    "DELIVERED",
    "<html>Sorry</html>",
    "OK " + "X" * 33,
    b"OK \xff\0",
]


@pytest.mark.parametrize(
    ("answer", "status", "signals"),
    [
        ("OK DELIVERED", "delivered", ["dlr_received", "dlr_status_changed", "dlr_delivered"]),
        ("ok delivered\n", "delivered", ["dlr_received", "dlr_status_changed", "dlr_delivered"]),
        ("OK FAILED", "failed", ["dlr_received", "dlr_status_changed", "dlr_failed"]),
    ],
)
def test_run__final_status(
    answer: str, status: str, signals: list[str], messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due()
    messente.answer(FIRST, REPORT, answer)
    summary = Poller().run()
    assert (summary.asked, summary.final, summary.failed) == (1, 1, 0)
    assert (seen(message).status, seen(message).next_poll_at) == (status, None)
    assert dlr_signals.names == signals
    assert messente.body() == {
        "username": "shop",
        "password": "a-password",
        "sms_unique_id": message.sms_unique_id,
    }
    make_due()
    assert Poller().run().asked == 0


@pytest.mark.parametrize("answer", ["OK SENT", "FAILED 102", "ERROR 107", "OK PONDERED"])
def test_run__pending_status_is_no_failure(answer: str, messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, answer)
    summary = Poller().run()
    assert (summary.asked, summary.open, summary.final, summary.failed) == (1, 1, 0, 0)
    assert (seen(message).status, seen(message).poll_count) == ("sent", 1)
    assert messente.hosts_asked() == [FIRST]  # the backup host is not used


@pytest.mark.parametrize("answer", [*UNREADABLE, "", "ERROR 102"])
def test_run__unreadable_response_is_counted_and_logged(
    answer: str | bytes, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    message = due()
    messente.answer(FIRST, REPORT, answer)
    with caplog.at_level(logging.WARNING, "django_messente_dlr"):
        summary = Poller().run()
    assert (summary.asked, summary.open, summary.failed) == (1, 1, 1)
    assert (seen(message).status, seen(message).reports.count()) == ("sent", 0)
    assert f"The status of message {message.pk} could not be requested" in caplog.text
    assert "a-password" not in caplog.text


@pytest.mark.parametrize("failure", [*NEVER_LEFT, *MAY_HAVE_ARRIVED])
def test_run__backup_host_after_connection_error(failure: Callable[[], Exception], messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, failure())
    messente.answer(BACKUP, REPORT, "OK DELIVERED")
    summary = Poller().run()
    assert (summary.final, summary.failed) == (1, 0)
    assert seen(message).status == "delivered"


@pytest.mark.parametrize(("body", "status"), [("FAILED 209", 200), ("", 500), ("OK DELIVERED", 503)])
def test_run__backup_host_after_error_response(body: str, status: int, messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, body, status=status)
    messente.answer(BACKUP, REPORT, "OK FAILED")
    summary = Poller().run()
    assert (summary.final, summary.failed) == (1, 0)
    assert seen(message).status == "failed"


@pytest.mark.parametrize(("body", "status"), [("FAILED 209", 200), ("", 500)])
def test_run__both_hosts_fail(body: str, status: int, messente: Messente) -> None:
    message = due()
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, body, status=status)
    summary = Poller().run()
    assert (summary.asked, summary.open, summary.failed) == (1, 1, 1)
    make_due(message)
    messente.reset()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller().run().final == 1
    assert seen(message).status == "delivered"


def omnimessage_status(**statuses: tuple[str | None, int | None]) -> dict[str, object]:
    return {
        "omnimessage_id": "an-omni-id",
        "to": "+37255500000",
        "statuses": [
            {"message_id": message_id, "channel": "viber", "status": status, "err": err, "error": None}
            for message_id, (status, err) in statuses.items()
        ],
    }


def test_run__omnimessage_has_one_request(messente: Messente) -> None:
    message = due(sms_unique_id=None, omnimessage_id="an-omni-id", channel="viber")
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json=omnimessage_status(viber=("UNDELIV", 1), sms=("DELIVRD", 0)),
    )
    assert Poller().run().final == 1
    assert seen(message).status == "delivered"
    assert seen(message).reports.count() == 2
    assert messente.calls[0].request.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("first", [("UNDELIV", 1), ("REJECTD", 7), ("BOUNCED", None), (None, None)])
def test_run__delivered_omnimessage_sends_no_dlr_failed(
    first: tuple[str | None, int | None], messente: Messente, dlr_signals: SignalLog
) -> None:
    due(sms_unique_id=None, omnimessage_id="an-omni-id", channel="viber")
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json=omnimessage_status(viber=first, sms=("DELIVRD", 0)),
    )
    assert Poller().run().final == 1
    names = [name for name in dlr_signals.names if name != "dlr_received"]
    assert names == ["dlr_status_changed", "dlr_delivered"]


def test_run__omnimessage_with_pending_channel(
    messente: Messente,
) -> None:
    message = due(sms_unique_id=None, omnimessage_id="an-omni-id", channel="viber")
    for sms, outcome, status in (((None, None), "open", "sent"), (("DELIVRD", 0), "final", "delivered")):
        messente.add(
            responses.GET,
            f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
            json=omnimessage_status(viber=("UNDELIV", 1), sms=sms),
        )
        make_due(message)
        summary = Poller().run()
        assert (summary.asked, getattr(summary, outcome)) == (1, 1)
        assert seen(message).status == status
    assert seen(message).next_poll_at is None


def test_run__message_of_one_channel(messente: Messente) -> None:
    message = due(sms_unique_id="viber-id", omnimessage_id="an-omni-id", channel="viber")
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json=omnimessage_status(**{"viber-id": ("UNDELIV", 1), "sms-id": ("DELIVRD", 0)}),
    )
    Poller().run()
    assert (seen(message).status, seen(message).err) == ("failed", 1)
    assert seen(message).reports.count() == 1


def test_run__due_channels_share_a_request(messente: Messente) -> None:
    viber, sms = (due(sms_unique_id=name, omnimessage_id="an-omni-id") for name in ("viber-id", "sms-id"))
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json=omnimessage_status(**{"viber-id": ("UNDELIV", 1), "sms-id": ("ACK", 0)}),
    )
    summary = Poller().run()
    assert (summary.asked, summary.final, summary.open) == (1, 1, 1)
    assert (seen(viber).status, seen(sms).status, seen(sms).poll_count) == ("failed", "sent", 1)


@pytest.mark.parametrize(("status", "err", "expected"), [("DELIVRD", 0, "delivered"), ("ACK", 0, "sent")])
def test_run__channel_that_is_not_due_is_updated(status: str, err: int, expected: str, messente: Messente) -> None:
    viber = due(sms_unique_id="viber-id", omnimessage_id="an-omni-id")
    at = timezone.now() + timedelta(seconds=30)
    other = due(sms_unique_id="sms-id", omnimessage_id="an-omni-id", next_poll_at=at)
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json=omnimessage_status(**{"viber-id": ("UNDELIV", 1), "sms-id": (status, err)}),
    )
    assert Poller().run().asked == 1
    assert seen(viber).status == "failed"
    assert seen(other).status == expected
    at_next = seen(other).next_poll_at
    assert at_next is None if expected == "delivered" else (at_next and at_next > at)


@pytest.mark.parametrize(("body", "status"), [("", 404), ("not JSON", 200), ("{}", 200), ("", 500)])
def test_run__unreadable_omnimessage_status(body: str, status: int, messente: Messente) -> None:
    message = due(omnimessage_id="an-omni-id")
    messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/an-omni-id/status", body, status=status)
    summary = Poller().run()
    assert (summary.asked, summary.open) == (1, 1)
    assert summary.failed == (0 if status == 404 else 1)
    assert seen(message).status == "sent"


def test_run__final_message_with_pending_row(messente: Messente) -> None:
    message = due()
    simulate_callback(message, "DELIVRD")
    message.pending.save(force_insert=True)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller().run().asked == 1
    assert seen(message).next_poll_at is None


def test_record_reports__duplicate_for_two_rows() -> None:
    """Both rows are about the same omnimessage, and have no message id."""
    pending, final = (
        SmsMessageFactory.create(sms_unique_id=None, omnimessage_id="omni", status=status, rank=status.rank)
        for status in (Status.SENT, Status.DELIVERED)
    )
    report = Report(source=Source.POLL, stat="DELIVRD", omnimessage_id="omni")
    with mock.patch.object(receiving, "record", return_value=receiving.RecordResult.DUPLICATE):
        is_final = status_responses.record_reports(StatusRequest((pending, final)), [report])
    assert is_final == {pending: False, final: True}
