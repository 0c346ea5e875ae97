"""The callback door: verifies, then parses, then writes; never a redirect, never a 500."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from unittest import mock

import pytest
from django.db import InterfaceError, OperationalError, connections
from django.http import HttpResponse
from django.test import Client, RequestFactory

from django_messente_dlr import callbacks, receiving
from django_messente_dlr.messente.signatures import HEADER, sign
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.webhook.verification import MAX_BODY
from django_messente_dlr.webhook.views import callback

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a-password"
OLD_PASSWORD = "an-older-password"
REPORT = {"message_id": "an-id", "omnimessage_id": "", "status": "DELIVRD", "err": 0}
QUERY = "?sms_unique_id=an-id&stat=DELIVRD&err="


def path_of(message: SmsMessage) -> str:
    return message.callback_url.removeprefix("https://shop.example.com")


def account_path(account: str = "default") -> str:
    return callbacks.callback_url(account).removeprefix("https://shop.example.com")


def post(path: str, body: bytes | None = None, *, password: str = PASSWORD, signature: str | None = None) -> Any:
    content = json.dumps(REPORT).encode() if body is None else body
    told = sign(content, password) if signature is None else signature
    headers = {HEADER: told} if told else {}
    return Client(enforce_csrf_checks=True).post(path, content, content_type="application/json", headers=headers)


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create(sms_unique_id="an-id")


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize("kind", ["message", "account", "webhook"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_url_answers_with_and_without_its_last_slash(
    message: SmsMessage, method: str, kind: str, slash: str
) -> None:
    path = {"message": path_of(message), "account": account_path(), "webhook": "/messente/dlr/"}[kind]
    path = path.rstrip("/") + slash
    response = Client(enforce_csrf_checks=True).get(path + QUERY) if method == "get" else post(path)
    if (method, kind) == ("get", "webhook"):
        assert response.status_code == 403
        return
    assert (response.status_code, response.content) == (200, b"OK")
    assert response["Content-Type"].startswith("text/plain")
    message.refresh_from_db()
    assert message.status == "delivered"


def refused_requests() -> list[tuple[str, int, Callable[[SmsMessage, SmsMessage], HttpResponse]]]:
    get = Client(enforce_csrf_checks=True).get
    return [
        ("no token", 403, lambda ours, other: get(f"/messente/dlr/{QUERY}")),
        ("garbage", 403, lambda ours, other: get(f"/messente/dlr/garbage/{QUERY}")),
        ("unsigned", 403, lambda ours, other: get(f"/messente/dlr/m{ours.pk}.default/{QUERY}")),
        (
            "another's signature",
            403,
            lambda ours, other: get(path_of(other).replace(f"m{other.pk}.", f"m{ours.pk}.") + QUERY),
        ),
        ("another message's URL", 403, lambda ours, other: get(path_of(other) + QUERY)),
        ("another account's URL", 403, lambda ours, other: get(account_path("marketing") + QUERY)),
        ("a URL that is cut short", 403, lambda ours, other: get(path_of(ours)[:-2] + "/" + QUERY)),
        ("no signature", 403, lambda ours, other: post(path_of(ours), signature="")),
        ("a wrong signature", 403, lambda ours, other: post(path_of(ours), signature="0" * 64)),
        ("a signature that is no hex", 403, lambda ours, other: post(path_of(ours), signature="\xe9")),
        ("another body's signature", 403, lambda ours, other: post(path_of(ours), signature=sign(b"{}", PASSWORD))),
        ("another account's signature", 403, lambda ours, other: post(path_of(ours), password="another-password")),
        ("another's at the webhook", 403, lambda ours, other: post("/messente/dlr/", password="another-password")),
        (
            "an empty key",
            403,
            lambda ours, other: post("/messente/dlr/", signature=sign(json.dumps(REPORT).encode(), "")),
        ),
        ("signed, at a garbage URL", 403, lambda ours, other: post("/messente/dlr/garbage/")),
        ("malformed and unverified", 403, lambda ours, other: post(path_of(ours), b"{", signature="0" * 64)),
        ("malformed at a garbage URL", 403, lambda ours, other: get("/messente/dlr/garbage/?stat=%ff")),
        ("nothing", 400, lambda ours, other: get(path_of(ours))),
        ("no state", 400, lambda ours, other: get(f"{path_of(ours)}?sms_unique_id=an-id")),
        ("no UTF-8", 400, lambda ours, other: get(f"{path_of(ours)}?sms_unique_id=%ff&stat=DELIVRD")),
        ("NUL", 400, lambda ours, other: get(f"{path_of(ours)}?sms_unique_id=an-id&stat=DELIVRD&x=%00")),
        ("two states", 400, lambda ours, other: get(f"{path_of(ours)}{QUERY}&stat=FAILED")),
        ("too long an id", 400, lambda ours, other: get(f"{path_of(ours)}?sms_unique_id={'x' * 129}&stat=DELIVRD")),
        ("too many", 400, lambda ours, other: get(f"{path_of(ours)}{QUERY}{'&a=b' * 100}")),
        ("no JSON", 400, lambda ours, other: post(path_of(ours), b"{")),
        ("no object", 400, lambda ours, other: post(path_of(ours), b"[]")),
        ("NaN", 400, lambda ours, other: post(path_of(ours), b'{"message_id": "an-id", "status": "SEEN", "x": NaN}')),
        ("deep JSON", 400, lambda ours, other: post(path_of(ours), b"[" * 30000 + b"]" * 30000)),
        ("a number as id", 400, lambda ours, other: post(path_of(ours), b'{"message_id": 1, "status": "SEEN"}')),
        ("no ids", 400, lambda ours, other: post(path_of(ours), b'{"status": "SEEN"}')),
        ("too much", 413, lambda ours, other: post(path_of(ours), b" " * (MAX_BODY + 1))),
        ("more path", 403, lambda ours, other: get(f"{path_of(ours)}more{QUERY}")),
        ("two slashes", 403, lambda ours, other: get(f"{path_of(ours)}/{QUERY}")),
        ("a line's end", 403, lambda ours, other: get(f"{path_of(ours)}%0A{QUERY}")),
        ("NUL in the path", 403, lambda ours, other: get(f"{path_of(ours)}%00/{QUERY}")),
        ("PUT", 405, lambda ours, other: Client().put(path_of(ours) + QUERY)),
        ("DELETE", 405, lambda ours, other: Client().delete(path_of(ours) + QUERY)),
        ("HEAD", 405, lambda ours, other: Client().head(path_of(ours) + QUERY)),
    ]


@pytest.mark.parametrize(
    ("status", "request_of"), [pytest.param(*rest, id=name) for name, *rest in refused_requests()]
)
def test_what_is_forged_foreign_or_malformed_is_a_4xx_and_leaves_no_trace(
    status: int,
    request_of: Callable[[SmsMessage, SmsMessage], HttpResponse],
    message: SmsMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = SmsMessageFactory.create(sms_unique_id="another-id")
    before = list(SmsMessage.objects.order_by("pk").values())
    with caplog.at_level(logging.DEBUG):
        response = request_of(message, other)
    assert response.status_code == status
    assert response.content.endswith(b".") or response.request["REQUEST_METHOD"] == "HEAD"  # type: ignore[attr-defined]
    assert response.get("Allow") == ("GET, POST" if status == 405 else None)
    assert not DeliveryReport.objects.exists()
    assert not Account.objects.exists()
    assert list(SmsMessage.objects.order_by("pk").values()) == before
    for secret in (PASSWORD, path_of(message).split("/")[3], path_of(other).split("/")[3]):
        assert secret not in caplog.text
        assert secret not in response.content.decode()


@pytest.mark.parametrize("password", [PASSWORD, OLD_PASSWORD])
def test_every_live_password_signs(message: SmsMessage, password: str) -> None:
    assert post("/messente/dlr/", password=password).status_code == 200


def test_a_rotated_key_still_verifies_what_it_signed(message: SmsMessage, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["the old key"]}
    path = path_of(message)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a new key", "the old key"]}
    assert path_of(message) != path
    assert Client().get(path + QUERY).status_code == 200
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a new key"]}
    assert Client().get(path + QUERY).status_code == 403


def test_an_account_that_is_not_in_use_any_more_has_no_url(settings: Any) -> None:
    path = account_path("marketing")
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": {"default": {"USERNAME": "a", "PASSWORD": "b"}}}
    assert Client().get(path + QUERY).status_code == 403


def test_a_message_of_an_account_that_is_not_in_use_any_more_still_hears_what_became_of_it(
    message: SmsMessage, settings: Any
) -> None:
    path = path_of(message)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": {"other": {"USERNAME": "a", "PASSWORD": "b"}}}
    assert Client().get(path + QUERY).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("gone")])
@pytest.mark.parametrize("how", ["get", "post"])
def test_a_database_that_is_down_is_a_503_and_the_report_is_taken_when_it_comes_again(
    message: SmsMessage, failure: Exception, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(message)

    def call() -> Any:
        return Client(raise_request_exception=False).get(path + QUERY) if how == "get" else post(path)

    def fail(*args: Any) -> Any:
        raise failure

    with caplog.at_level(logging.DEBUG), connections["default"].execute_wrapper(fail):
        assert call().status_code == 503
    assert path.split("/")[3] not in caplog.text
    assert "could not be stored" in caplog.text
    assert not DeliveryReport.objects.exists()
    assert call().status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.usefixtures("orm_path")
def test_a_message_that_keeps_changing_is_a_503(message: SmsMessage) -> None:
    with mock.patch(
        "django_messente_dlr.receiving.record.apply_report", side_effect=receiving.apply.ConcurrentUpdate
    ):
        assert simulate_callback(message).status_code == 503
    assert not DeliveryReport.objects.exists()


@pytest.mark.usefixtures("orm_path")
def test_a_message_that_changed_once_meanwhile_is_looked_at_again(message: SmsMessage) -> None:
    from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_report

    with mock.patch(
        "django_messente_dlr.receiving.record.apply_report",
        side_effect=[ConcurrentUpdate, mock.DEFAULT],
        wraps=apply_report,
    ):
        assert simulate_callback(message).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


def test_the_door_is_exempt_from_csrf_login_and_atomic_requests() -> None:
    view: Any = callback
    assert view.csrf_exempt is True
    assert view.login_required is False
    assert view._non_atomic_requests == set(connections)


def test_atomic_requests_do_not_keep_signals_back_or_undo_a_report(message: SmsMessage) -> None:
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
    inside: list[bool] = []

    def look(*args: Any, **kwargs: Any) -> Any:
        inside.append(connections["default"].in_atomic_block)
        return mock.DEFAULT

    try:
        with mock.patch("django_messente_dlr.webhook.views.receiving.record", side_effect=look):
            assert simulate_callback(message).status_code == 200
    finally:
        connections["default"].settings_dict["ATOMIC_REQUESTS"] = False
    assert inside == [False]


@pytest.mark.parametrize("length", ["", "rubbish"])
def test_a_length_that_is_not_told_is_found_out(length: str) -> None:
    body = json.dumps(REPORT).encode()
    request = RequestFactory().post(
        "/messente/dlr/", body, content_type="application/json", headers={HEADER: sign(body, PASSWORD)}
    )
    assert request.body == body
    request.META["CONTENT_LENGTH"] = length
    assert callback(request).status_code == 200


def test_a_project_that_takes_only_small_bodies_answers_413(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post("/messente/dlr/").status_code == 413


@pytest.mark.parametrize(("use_tz", "stored"), [(True, "2024-05-06T07:08:09+00:00"), (False, "2024-05-06T10:08:09")])
def test_times_are_stored_as_the_project_takes_them(settings: Any, stored: str, *, use_tz: bool) -> None:
    settings.USE_TZ = use_tz  # and TIME_ZONE is Europe/Tallinn, three hours ahead in summer
    assert simulate_omnichannel_callback({**REPORT, "timestamp": "2024-05-06T07:08:09"}).status_code == 200
    occurred_at = DeliveryReport.objects.get().occurred_at
    assert isinstance(occurred_at, datetime)
    assert occurred_at.isoformat() == stored


def test_a_callback_is_noted_on_its_account_once_a_minute(message: SmsMessage) -> None:
    simulate_callback(message, "ACCEPTD")
    noted = Account.objects.get(name="default").last_callback_at
    assert noted is not None
    simulate_callback(message, "DELIVRD")
    assert Account.objects.get(name="default").last_callback_at == noted
