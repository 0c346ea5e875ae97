"""Messente's two official Python clients work against the sandbox without changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from messente.api.sms import Messente
from messente_api import (
    SMS,
    ApiClient,
    BulkMessagingApi,
    BulkOmnimessage,
    Configuration,
    DeliveryReportApi,
    Omnimessage,
    OmnimessageApi,
    Viber,
    WhatsApp,
    WhatsAppText,
)
from messente_api.exceptions import ApiException
from messente_api.models import DeliveryResult, ErrorOmnichannel, OmnimessageMessagesInner

from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import mark_sent, prepare_sms
from tests.integration.sandbox.callback_server import CallbackServer
from tests.integration.sandbox.conftest import ACCOUNTS, Start

TEXT = "Your parcel is here."


def messente_python(sandbox: Sandbox, *, password: str = ACCOUNTS["shop"]) -> Messente:
    """Return the client of the SMS API, with the sandbox as first host and as backup host."""
    return Messente(username="shop", password=password, urls=[sandbox.url, sandbox.url])


@pytest.fixture
def messente_api(sandbox: Sandbox) -> Iterator[ApiClient]:
    with ApiClient(configuration(sandbox.omnichannel_url)) as client:
        yield client


def configuration(host: str, *, password: str = ACCOUNTS["shop"]) -> Configuration:
    return Configuration(host=host, username="shop", password=password)


def omnimessage(digits: str = "000", *, dlr_url: str = "") -> Omnimessage:
    channels = (Viber(sender="Shop", text=TEXT), SMS(sender="Shop", text=TEXT))
    return Omnimessage(
        to=f"+37255500{digits}",
        messages=[OmnimessageMessagesInner(channel) for channel in channels],
        dlr_url=dlr_url or None,
    )


class TestMessentePython:
    """The client of the SMS API (PyPI: messente-python)."""

    def test_send__then_get_the_report(self, sandbox: Sandbox) -> None:
        client = messente_python(sandbox)
        sent = client.sms.send({"to": "+37255500000", "text": TEXT, "from": "Shop"})
        assert sent.is_ok()
        assert sent.get_sms_id() == sandbox.messages[0].message_id
        assert sandbox.wait_until_idle()
        report = client.delivery.get_dlr_response(sent.get_sms_id())
        assert (report.is_ok(), report.get_result()) == (True, "DELIVERED")

    def test_report__before_the_first_one(self, start: Start) -> None:
        client = messente_python(start(delay=60.0))
        sent = client.sms.send({"to": "+37255500000", "text": TEXT})
        report = client.delivery.get_dlr_response(sent.get_sms_id())
        assert report.is_error()
        assert (report.status, report.error_code) == ("FAILED", 102)

    def test_send__callback(self, sandbox: Sandbox, callback_server: CallbackServer) -> None:
        sent = messente_python(sandbox).sms.send({"to": "+37255500007", "text": TEXT, "dlr-url": callback_server.url})
        assert callback_server.next().parameters == {
            "sms_unique_id": sent.get_sms_id(),
            "stat": "REJECTD",
            "err": "7",
        }

    @pytest.mark.parametrize(
        ("digits", "code", "sentence"),
        [("211", 111, "Sender parameter 'from' is invalid."), ("209", 209, "")],
    )
    def test_send__refusal(self, sandbox: Sandbox, digits: str, code: int, sentence: str) -> None:
        refused = messente_python(sandbox).sms.send({"to": f"+37255500{digits}", "text": TEXT})
        assert refused.is_error()
        assert refused.error_code == code
        assert sentence in refused.error_msg
        assert sandbox.messages == ()

    def test_balance(self, sandbox: Sandbox) -> None:
        assert messente_python(sandbox).credit.get_balance().get_result() == "707.54"

    def test_cancel__scheduled_message(self, sandbox: Sandbox) -> None:
        client = messente_python(sandbox)
        later = int((datetime.now(UTC) + timedelta(days=1)).timestamp())
        sent = client.sms.send({"to": "+37255500000", "text": TEXT, "time_to_send": later})
        assert client.sms.cancel(sent.get_sms_id()).is_ok()
        again = client.sms.cancel(sent.get_sms_id())
        assert (again.error_code, again.error_msg) == (107, "Could not find message with provided message ID.")

    def test_cancel__when_it_is_too_late(self, sandbox: Sandbox) -> None:
        client = messente_python(sandbox)
        late = client.sms.cancel(client.sms.send({"to": "+37255500000", "text": TEXT}).get_sms_id())
        assert (late.is_ok(), late.error_code) == (False, 999)

    def test_credentials__wrong(self, sandbox: Sandbox) -> None:
        assert messente_python(sandbox, password="wrong").credit.get_balance().error_code == 101


class TestMessenteApi:
    """The client of the Omnichannel API (PyPI: messente-api)."""

    def test_send__then_get_the_reports(self, sandbox: Sandbox, messente_api: ApiClient) -> None:
        sent = OmnimessageApi(messente_api).send_omnimessage(omnimessage())
        assert [message.channel for message in sent.messages] == ["viber", "sms"]
        assert sandbox.wait_until_idle()
        result = DeliveryReportApi(messente_api).retrieve_delivery_report(sent.omnimessage_id)
        assert result.omnimessage_id == sent.omnimessage_id
        first, second = result.statuses
        assert (first.status, first.err, first.message_id) == ("DELIVRD", 0, sent.messages[0].message_id)
        assert second.status is None  # not tried, as the first channel delivered

    def test_send__falls_back_to_the_next_channel(
        self, sandbox: Sandbox, messente_api: ApiClient, callback_server: CallbackServer
    ) -> None:
        channels = [
            Viber(sender="Shop", text=TEXT, ttl=60),
            WhatsApp(sender="Shop", text=WhatsAppText(body=TEXT)),
            SMS(sender="Shop", text=TEXT, validity=60),
        ]
        message = omnimessage("402", dlr_url=callback_server.url)
        message.messages = [OmnimessageMessagesInner(channel) for channel in channels]
        sent = OmnimessageApi(messente_api).send_omnimessage(message)
        assert [message.channel for message in sent.messages] == ["viber", "whatsapp", "sms"]
        assert sandbox.wait_until_idle()
        result = DeliveryReportApi(messente_api).retrieve_delivery_report(sent.omnimessage_id)
        assert [(status.status, status.err) for status in result.statuses] == [
            ("UNDELIV", 1),
            ("REJECTD", 7),
            ("DELIVRD", 0),
        ]
        reports = [DeliveryResult.from_json(callback.body.decode()) for callback in callback_server.callbacks]
        assert [report and report.message_id for report in reports] == [m.message_id for m in sent.messages]

    def test_bulk__success_and_error(self, sandbox: Sandbox, messente_api: ApiClient) -> None:
        messages = [omnimessage("000"), omnimessage("204"), omnimessage("229"), omnimessage("001")]
        response = BulkMessagingApi(messente_api).send_bulk_omnimessage(BulkOmnimessage(messages=messages))
        answers = [item.actual_instance for item in response.messages]
        assert [getattr(answer, "to", None) for answer in answers] == ["+37255500000", None, None, "+37255500001"]
        assert [answer.errors[0].code for answer in answers if isinstance(answer, ErrorOmnichannel)] == ["105", "104"]
        assert sandbox.accepted == {"+37255500000": 1, "+37255500001": 1}

    def test_send__callback_is_a_delivery_result(
        self, sandbox: Sandbox, messente_api: ApiClient, callback_server: CallbackServer
    ) -> None:
        sent = OmnimessageApi(messente_api).send_omnimessage(omnimessage("007", dlr_url=callback_server.url))
        result = DeliveryResult.from_json(callback_server.next().body.decode())
        assert result is not None
        assert (result.status, result.err, result.message_id) == ("REJECTD", 7, sent.messages[0].message_id)

    def test_cancel__scheduled_omnimessage(self, messente_api: ApiClient) -> None:
        waiting = omnimessage()
        waiting.time_to_send = datetime.now(UTC) + timedelta(days=1)
        api = OmnimessageApi(messente_api)
        sent = api.send_omnimessage(waiting)
        api.cancel_scheduled_message(sent.omnimessage_id)
        with pytest.raises(ApiException) as raised:
            api.cancel_scheduled_message(sent.omnimessage_id)
        assert raised.value.status == 404

    def test_cancel__when_it_is_too_late(self, messente_api: ApiClient) -> None:
        api = OmnimessageApi(messente_api)
        sent = api.send_omnimessage(omnimessage())
        with pytest.raises(ApiException, match="a guess of the sandbox") as raised:
            api.cancel_scheduled_message(sent.omnimessage_id)
        assert raised.value.status == 409

    def test_report__unknown_omnimessage(self, messente_api: ApiClient) -> None:
        with pytest.raises(ApiException) as raised:
            DeliveryReportApi(messente_api).retrieve_delivery_report("22222222-2222-4222-8222-222222222222")
        assert raised.value.status == 404

    def test_credentials__wrong(self, sandbox: Sandbox) -> None:
        with ApiClient(configuration(sandbox.omnichannel_url, password="wrong")) as client:
            with pytest.raises(ApiException) as raised:
                OmnimessageApi(client).send_omnimessage(omnimessage())
            assert raised.value.status == 401


@pytest.mark.django_db(transaction=True)
class TestWithTheApp:
    """`prepare_sms` returns the callback URL, another client sends, and `mark_sent` stores the id.

    The test waits for the callback before `mark_sent`: an SQLite database in memory has one connection, which the
    test and the live server cannot use at the same time.
    """

    @pytest.fixture(autouse=True)
    def _callback_base_url(self, live_server: Any, settings: Any) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": live_server.url}

    def test_messente_python(self, sandbox: Sandbox) -> None:
        message = prepare_sms("+37255500000")
        sent = messente_python(sandbox).sms.send(
            {"to": message.recipient, "text": TEXT, "dlr-url": message.callback_url}
        )
        assert sandbox.wait_until_idle()
        mark_sent(message, sent.get_sms_id())
        assert (message.status, message.sms_unique_id) == ("delivered", sandbox.messages[0].message_id)
        assert [attempt.status for attempt in sandbox.callbacks] == [200]

    def test_messente_api(self, sandbox: Sandbox, messente_api: ApiClient) -> None:
        message = prepare_sms("+37255500010", channel="viber")
        sent = OmnimessageApi(messente_api).send_omnimessage(omnimessage("010", dlr_url=message.callback_url))
        assert sandbox.wait_until_idle()
        mark_sent(message, omnimessage_id=sent.omnimessage_id)
        assert (message.status, message.omnimessage_id) == ("seen", sent.omnimessage_id)
        assert [report.source for report in message.reports.all()] == ["omnichannel", "omnichannel"]
