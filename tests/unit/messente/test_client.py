"""`MessenteClient`: its requests, its results for each response, and its errors."""

from __future__ import annotations

import json
from base64 import b64decode
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest
import responses
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.client import API_HOSTS, OMNICHANNEL_URL
from django_messente_dlr.messente.response_codes import ResponseCode
from tests.unit.messente.answering import (
    BACKUP,
    CALLS,
    FIRST,
    ID,
    OMNICHANNEL,
    PASSWORD,
    USERNAME,
    Messente,
    client,
    every_call,
    every_idempotent_call,
)
from tests.unit.messente.test_parse_omnichannel import CALLBACK, MESSAGE, OMNIMESSAGE

CREDENTIALS = {"username": USERNAME, "password": PASSWORD}
STATUS_URL = f"{OMNICHANNEL}/omnimessage/{OMNIMESSAGE}/status"


def call(endpoint: str) -> Any:
    return CALLS[endpoint](client())


def test_defaults__are_messentes_hosts() -> None:
    assert API_HOSTS == (FIRST, BACKUP)
    assert OMNICHANNEL_URL == OMNICHANNEL


class TestRequests:
    @every_call
    def test_call__sends_credentials_in_body_only(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "OK 1")
        call(endpoint)
        request = messente.calls[0].request
        assert request.method == "POST"
        assert request.url == f"{FIRST}/{endpoint}/"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "Authorization" not in request.headers
        assert CREDENTIALS.items() <= messente.body().items()

    @pytest.mark.parametrize("name", ["username", "password", "from", "dlr-url"])
    def test_send__rejects_reserved_option_names(self, messente: Messente, name: str) -> None:
        with pytest.raises(ValueError, match=f'"{name}" is not an option'):
            client().send("+37255500000", "Tere", **{name: "x"})
        assert messente.hosts_asked() == []

    def test_send__passes_all_parameters(self, messente: Messente) -> None:
        messente.answer(FIRST, "send_sms", f"OK {ID}")
        sent = client().send(
            "+37255500000",
            "Tere, õ & = +!",
            dlr_url="https://shop.example.com/messente/dlr/m1.default.x/",
            sender="Shop",
            validity=0,
            time_to_send=1714979289,
            autoconvert="full",
            charset="UTF-8",
            udh="050003",
            text_store="nostore",
        )
        assert sent == ID
        assert messente.body() == CREDENTIALS | {
            "to": "+37255500000",
            "text": "Tere, õ & = +!",
            "from": "Shop",
            "dlr-url": "https://shop.example.com/messente/dlr/m1.default.x/",
            "validity": "0",
            "time_to_send": "1714979289",
            "autoconvert": "full",
            "charset": "UTF-8",
            "udh": "050003",
            "text-store": "nostore",
        }

    def test_send__accepts_lazy_translations(self, messente: Messente) -> None:
        messente.answer(FIRST, "send_sms", f"OK {ID}")
        lazy_text: Any = gettext_lazy("Delivered.")
        with translation.override("et"):
            client().send("+37255500000", lazy_text, sender=lazy_text)
            sent = gettext("Delivered.")
        assert parse_qs(str(messente.calls[0].request.body)) == {
            **{name: [value] for name, value in CREDENTIALS.items()},
            "to": ["+37255500000"],
            "text": [sent],
            "from": [sent],
        }

    def test_send__omits_empty_parameters(self, messente: Messente) -> None:
        messente.answer(FIRST, "send_sms", f"OK {ID}")
        call("send_sms")
        assert messente.body() == CREDENTIALS | {"to": "+37255500000", "text": "Your parcel is here"}

    @pytest.mark.parametrize("endpoint", ["get_dlr_response", "cancel_sms"])
    def test_call__sends_message_id(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "OK SENT")
        call(endpoint)
        assert messente.body() == CREDENTIALS | {"sms_unique_id": ID}

    def test_omnimessage_status__uses_basic_auth(self, messente: Messente) -> None:
        messente.add(responses.GET, STATUS_URL, json={"statuses": []})
        client().get_omnimessage_status(OMNIMESSAGE)
        request = messente.calls[0].request
        scheme, _, credentials = request.headers["Authorization"].partition(" ")
        assert scheme == "Basic"
        assert b64decode(credentials).decode() == f"{USERNAME}:{PASSWORD}"
        assert request.body is None

    def test_omnimessage_status__quotes_id_in_url(self, messente: Messente) -> None:
        messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/a%2Fb%3Fc%23d%20%C3%B5/status", json={"statuses": []})
        assert client().get_omnimessage_status("a/b?c#d õ") == []

    def test_client__uses_configured_hosts(self, messente: Messente) -> None:
        messente.answer("http://127.0.0.1:8000", "get_balance", "OK 1")
        messente.add(
            responses.GET, f"http://127.0.0.1:8000/v1/omnimessage/{OMNIMESSAGE}/status", json={"statuses": []}
        )
        local_client = client(hosts=["http://127.0.0.1:8000/"], omnichannel_url="http://127.0.0.1:8000/v1/")
        assert local_client.get_balance() == 1
        assert local_client.get_omnimessage_status(OMNIMESSAGE) == []

    @every_call
    def test_call__sets_timeouts(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "OK 1")
        CALLS[endpoint](client(connect_timeout=1.5, read_timeout=2.5))
        assert messente.calls[0].request.req_kwargs["timeout"] == (1.5, 2.5)  # type: ignore[attr-defined]

    def test_omnimessage_status__sets_timeouts(self, messente: Messente) -> None:
        messente.add(responses.GET, STATUS_URL, json={"statuses": []})
        client().get_omnimessage_status(OMNIMESSAGE)
        assert messente.calls[0].request.req_kwargs["timeout"] == (5.0, 10.0)  # type: ignore[attr-defined]


class TestSend:
    @pytest.mark.parametrize(
        ("text", "sms_unique_id"),
        [
            (f"OK {ID}", ID),
            (f"ok {ID}\r\n", ID),
            (f"OK {ID} and more", ID),
            (f"  OK \t {ID}", ID),
            ("\ufeffOK OKO", "OKO"),
            ("OK OKO", "OKO"),
            ("OK 11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111"),
            (f"OK {'x' * 128}", "x" * 128),
        ],
    )
    def test_send__returns_second_word_as_id(self, messente: Messente, text: str, sms_unique_id: str) -> None:
        messente.answer(FIRST, "send_sms", text)
        assert call("send_sms") == sms_unique_id

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" \r\n",
            b"OK",
            b"OK ",
            b"OKAY 123",
            b"OK " + b"x" * 129,
            b"OK sms\x00123",
            b"OK \x1b[31m",
            b"<html>502 Bad Gateway</html>",
            b'{"errors": []}',
            b"\xff\xfe\x00",
            b"\0",
            b"OKERROR 101",
            b"ERRORS 101",
        ],
    )
    def test_send__unreadable_response_is_outcome_unknown(self, messente: Messente, body: bytes) -> None:
        messente.answer(FIRST, "send_sms", body)
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    @pytest.mark.parametrize("status", [201, 202, 204, 206])
    def test_send__empty_2xx_is_outcome_unknown(self, messente: Messente, status: int) -> None:
        messente.answer(FIRST, "send_sms", status=status)
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    @pytest.mark.parametrize(
        ("text", "error", "code"),
        [
            ("ERROR 101", errors.CredentialsRefused, ResponseCode.WRONG_CREDENTIALS),
            ("ERROR 102", errors.RequestRefused, ResponseCode.WRONG_PARAMETERS),
            ("ERROR 103", errors.IpAddressRefused, ResponseCode.IP_NOT_ALLOWED),
            ("ERROR 104", errors.RequestRefused, ResponseCode.COUNTRY_NOT_FOUND),
            ("ERROR 105", errors.RequestRefused, ResponseCode.DESTINATION_105),
            ("ERROR 106", errors.RequestRefused, ResponseCode.DESTINATION_106),
            ("ERROR 107", errors.RequestRefused, ResponseCode.CREDIT_OR_UNKNOWN_ID),
            ("ERROR 108", errors.RequestRefused, ResponseCode.BLACKLISTED),
            ("ERROR 111", errors.RequestRefused, ResponseCode.SENDER_NOT_ACTIVATED),
            ("FAILED 102", errors.RequestRefused, ResponseCode.NO_REPORT_YET),
            ("ERROR 999", errors.RequestRefused, None),
            ("ERROR", errors.RequestRefused, None),
            ("error 111 sender", errors.RequestRefused, ResponseCode.SENDER_NOT_ACTIVATED),
        ],
    )
    def test_send__refusal_quotes_answer_and_advice(
        self, messente: Messente, text: str, error: type[errors.RequestRefused], code: ResponseCode | None
    ) -> None:
        messente.answer(FIRST, "send_sms", text)
        with pytest.raises(errors.RequestRefused) as raised:
            call("send_sms")
        assert type(raised.value) is error
        assert (raised.value.answer, raised.value.code) == (text, code)
        assert f'"{text}"' in str(raised.value)
        assert code is None or str(code.advice) in str(raised.value)
        assert messente.hosts_asked() == [FIRST]

    def test_send__error_107_mentions_credit(self, messente: Messente) -> None:
        messente.answer(FIRST, "send_sms", "ERROR 107")
        with pytest.raises(errors.RequestRefused, match=r"ERROR 107.*credit"):
            call("send_sms")


class TestGetReport:
    @pytest.mark.parametrize("word", ["DELIVERED", "FAILED", "SENT", "BOUNCED"])
    def test_get_report__ok_is_report(self, messente: Messente, word: str) -> None:
        messente.answer(FIRST, "get_dlr_response", f"OK {word}\n")
        report = client().get_report(ID)
        assert report is not None
        assert (report.sms_unique_id, report.stat) == (ID, word)

    def test_get_report__failed_102_is_none(self, messente: Messente) -> None:
        messente.answer(FIRST, "get_dlr_response", "FAILED 102")
        assert client().get_report(ID) is None
        assert messente.hosts_asked() == [FIRST]

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("ERROR 101", errors.CredentialsRefused),
            ("ERROR 102", errors.RequestRefused),
            ("ERROR 103", errors.IpAddressRefused),
            ("ERROR 107", errors.UnknownMessage),
            ("error 107 not found", errors.UnknownMessage),
            ("ERROR 999", errors.RequestRefused),
            ("FAILED 103", errors.RequestRefused),
        ],
    )
    def test_get_report__refusal_raises_its_error(
        self, messente: Messente, text: str, error: type[errors.MessenteError]
    ) -> None:
        messente.answer(FIRST, "get_dlr_response", text)
        with pytest.raises(errors.RequestRefused) as raised:
            client().get_report(ID)
        assert type(raised.value) is error
        assert messente.hosts_asked() == [FIRST]

    @pytest.mark.parametrize(
        "body", [b"OK", b"DELIVERED", b"<html>", b"\xff", b"\0", b"OK " + b"x" * 33, b"OK \0", b"x" * 100_000]
    )
    def test_get_report__unreadable_response_is_quoted_briefly(self, messente: Messente, body: bytes) -> None:
        messente.answer(FIRST, "get_dlr_response", body)
        with pytest.raises(errors.UnreadableResponse) as raised:
            client().get_report(ID)
        assert len(str(raised.value)) < 200
        assert messente.hosts_asked() == [FIRST]

    @every_idempotent_call
    @pytest.mark.parametrize("body", [b"", b" \r\n "])
    def test_call__empty_response_skips_backup(self, messente: Messente, endpoint: str, body: bytes) -> None:
        messente.answer(FIRST, endpoint, body)
        with pytest.raises(errors.UnreadableResponse, match="empty response"):
            call(endpoint)
        assert messente.hosts_asked() == [FIRST]


class TestGetBalance:
    @pytest.mark.parametrize(
        ("text", "balance"),
        [
            ("OK 707.54", "707.54"),
            ("ok 0", "0"),
            ("OK -3.20", "-3.20"),
            ("OK 707.54 EUR", "707.54"),
            ("OK 707.5400000000001", "707.54"),
            ("OK 0.0000009", "0"),
            ("OK -0.0000009", "0"),
        ],
    )
    def test_get_balance__returns_exact_amount(self, messente: Messente, text: str, balance: str) -> None:
        messente.answer(FIRST, "get_balance", text)
        assert client().get_balance() == Decimal(balance)

    @pytest.mark.parametrize(
        "text",
        [
            "OK",
            f"OK {'1' * 13}",
            f"OK 1.{'1' * 37}",
            "OK much",
            "OK NaN",
            "OK 1e9",
            "OK 1,5",
            "OK Infinity",
            "OK \u0664",
            "7.5",
        ],
    )
    def test_get_balance__invalid_amount_is_unreadable(self, messente: Messente, text: str) -> None:
        messente.answer(FIRST, "get_balance", text.encode())
        with pytest.raises(errors.UnreadableResponse):
            client().get_balance()

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("ERROR 101", errors.CredentialsRefused),
            ("ERROR 103", errors.IpAddressRefused),
            ("ERROR 107", errors.RequestRefused),
        ],
    )
    def test_get_balance__refusal_raises_its_error(
        self, messente: Messente, text: str, error: type[errors.RequestRefused]
    ) -> None:
        messente.answer(FIRST, "get_balance", text)
        with pytest.raises(errors.RequestRefused) as raised:
            client().get_balance()
        assert type(raised.value) is error


class TestCancel:
    @pytest.mark.parametrize("text", ["OK DELETED", "ok deleted", "OK"])
    def test_cancel__ok_returns(self, messente: Messente, text: str) -> None:
        messente.answer(FIRST, "cancel_sms", text)
        client().cancel(ID)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("ERROR 101", errors.CredentialsRefused),
            ("ERROR 102", errors.RequestRefused),
            ("ERROR 103", errors.IpAddressRefused),
            ("ERROR 107", errors.UnknownMessage),
            ("FAILED 102", errors.RequestRefused),
            ("DELETED", errors.UnreadableResponse),
        ],
    )
    def test_cancel__other_answer_raises(
        self, messente: Messente, text: str, error: type[errors.MessenteError]
    ) -> None:
        messente.answer(FIRST, "cancel_sms", text)
        with pytest.raises(errors.MessenteError) as raised:
            client().cancel(ID)
        assert type(raised.value) is error


class TestHttpStatuses:
    @every_call
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 418])
    def test_call__unexpected_status_is_unreadable(self, messente: Messente, endpoint: str, status: int) -> None:
        messente.answer(FIRST, endpoint, "OK 1", status=status, headers={"Location": f"{BACKUP}/{endpoint}/"})
        # A server that redirects the request may have processed it.
        may_be_sent = endpoint == "send_sms" and status < 400
        error = errors.OutcomeUnknown if may_be_sent else errors.UnreadableResponse
        with pytest.raises(error, match=f"HTTP {status}"):
            call(endpoint)
        assert messente.hosts_asked() == [FIRST]

    @pytest.mark.parametrize("location", ["http://[", "http://x:99999999/", "\xff\xfe", "", "//", "ftp://x"])
    def test_call__ignores_redirect_location(self, messente: Messente, location: str) -> None:
        messente.answer(FIRST, "send_sms", status=302, headers={"Location": location})
        messente.add(responses.GET, STATUS_URL, status=302, headers={"Location": location})
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        with pytest.raises(errors.UnreadableResponse):
            client().get_omnimessage_status(OMNIMESSAGE)

    @every_idempotent_call
    @pytest.mark.parametrize("status", [201, 204])
    def test_a_success_without_an_answer_cannot_be_read(self, messente: Messente, endpoint: str, status: int) -> None:
        messente.answer(FIRST, endpoint, status=status)
        with pytest.raises(errors.UnreadableResponse):
            call(endpoint)
        assert messente.hosts_asked() == [FIRST]

    @every_call
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ({}, None),
            ({"Retry-After": "30"}, 30),
            ({"Retry-After": "0"}, 1),
            ({"Retry-After": "-30"}, None),
            ({"Retry-After": "soon"}, None),
            ({"Retry-After": "1.5"}, None),
            ({"Retry-After": "9" * 5000}, None),
            ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1),
        ],
    )
    def test_call__429_has_retry_after_and_skips_backup(
        self, messente: Messente, endpoint: str, header: dict[str, str], seconds: int | None
    ) -> None:
        messente.answer(FIRST, endpoint, status=429, headers=header)
        with pytest.raises(errors.RateLimited) as raised:
            call(endpoint)
        assert raised.value.retry_after == seconds
        assert messente.hosts_asked() == [FIRST]


class TestGetOmnimessageStatus:
    def get_report(self, messente: Messente, **options: Any) -> Any:
        messente.add(responses.GET, STATUS_URL, **options)
        return client().get_omnimessage_status(OMNIMESSAGE)

    def test_omnimessage_status__returns_reports(self, messente: Messente) -> None:
        (report,) = self.get_report(messente, json={"omnimessage_id": OMNIMESSAGE, "statuses": [CALLBACK]})
        assert (report.sms_unique_id, report.omnimessage_id) == (MESSAGE, OMNIMESSAGE)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, errors.CredentialsRefused),
            (404, errors.UnknownMessage),
            (302, errors.UnreadableResponse),
            (403, errors.UnreadableResponse),
            (429, errors.RateLimited),
            (500, errors.ServerFailure),
            (503, errors.ServerFailure),
        ],
    )
    def test_omnimessage_status__http_status_raises_its_error(
        self, messente: Messente, status: int, error: type[errors.MessenteError]
    ) -> None:
        body = json.dumps({"errors": [{"title": "…", "detail": "…", "code": "101", "source": "…"}]})
        with pytest.raises(errors.MessenteError) as raised:
            self.get_report(messente, status=status, body=body, headers={"Location": "https://elsewhere.example"})
        assert isinstance(raised.value, error)

    @pytest.mark.parametrize("body", [b"", b"OK", b"[]", b"{}", b"\xff", b'{"statuses": null}'])
    def test_omnimessage_status__invalid_body_is_unreadable(self, messente: Messente, body: bytes) -> None:
        with pytest.raises(errors.UnreadableResponse):
            self.get_report(messente, body=body)

    def test_a_success_without_an_answer_cannot_be_read(self, messente: Messente) -> None:
        with pytest.raises(errors.UnreadableResponse):
            self.get_report(messente, status=204)
