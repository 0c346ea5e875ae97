"""The callback view authenticates, parses and records. It never responds with a redirect or a 500."""

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
from django.utils import timezone

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


RequestFunction = Callable[[SmsMessage, SmsMessage], HttpResponse]


def path_of(message: SmsMessage) -> str:
    return message.callback_url.removeprefix("https://shop.example.com")


def account_path(account: str = "default") -> str:
    return callbacks.callback_url(account).removeprefix("https://shop.example.com")


def post(path: str, body: bytes | None = None, *, password: str = PASSWORD, signature: str | None = None) -> Any:
    content = json.dumps(REPORT).encode() if body is None else body
    header = sign(content, password) if signature is None else signature
    headers = {HEADER: header} if header else {}
    return Client(enforce_csrf_checks=True).post(path, content, content_type="application/json", headers=headers)


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create(sms_unique_id="an-id")


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize("target", ["message", "account", "webhook"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_callback__trailing_slash_is_optional(message: SmsMessage, method: str, target: str, slash: str) -> None:
    path = {"message": path_of(message), "account": account_path(), "webhook": "/messente/dlr/"}[target]
    path = path.rstrip("/") + slash
    response = Client(enforce_csrf_checks=True).get(path + QUERY) if method == "get" else post(path)
    if (method, target) == ("get", "webhook"):
        assert response.status_code == 403
        return
    assert (response.status_code, response.content) == (200, b"OK")
    assert response["Content-Type"].startswith("text/plain")
    message.refresh_from_db()
    assert message.status == "delivered"


def rejected_requests() -> list[tuple[str, int, RequestFunction]]:
    get = Client(enforce_csrf_checks=True).get
    return [
        ("no token", 403, lambda message, other: get(f"/messente/dlr/{QUERY}")),
        ("garbage", 403, lambda message, other: get(f"/messente/dlr/garbage/{QUERY}")),
        ("unsigned", 403, lambda message, other: get(f"/messente/dlr/m{message.pk}.default/{QUERY}")),
        (
            "signature of another URL",
            403,
            lambda message, other: get(path_of(other).replace(f"m{other.pk}.", f"m{message.pk}.") + QUERY),
        ),
        ("another message's URL", 403, lambda message, other: get(path_of(other) + QUERY)),
        ("another account's URL", 403, lambda message, other: get(account_path("marketing") + QUERY)),
        ("truncated URL", 403, lambda message, other: get(path_of(message)[:-2] + "/" + QUERY)),
        ("no signature", 403, lambda message, other: post(path_of(message), signature="")),
        ("a wrong signature", 403, lambda message, other: post(path_of(message), signature="0" * 64)),
        ("signature that is not hex", 403, lambda message, other: post(path_of(message), signature="\xe9")),
        (
            "another body's signature",
            403,
            lambda message, other: post(path_of(message), signature=sign(b"{}", PASSWORD)),
        ),
        (
            "another account's signature",
            403,
            lambda message, other: post(path_of(message), password="another-password"),
        ),
        (
            "another account's signature at the webhook",
            403,
            lambda message, other: post("/messente/dlr/", password="another-password"),
        ),
        (
            "signature with an empty key",
            403,
            lambda message, other: post("/messente/dlr/", signature=sign(json.dumps(REPORT).encode(), "")),
        ),
        ("signed body at a garbage URL", 403, lambda message, other: post("/messente/dlr/garbage/")),
        (
            "malformed body with a wrong signature",
            403,
            lambda message, other: post(path_of(message), b"{", signature="0" * 64),
        ),
        ("malformed query at a garbage URL", 403, lambda message, other: get("/messente/dlr/garbage/?stat=%ff")),
        ("no parameters", 400, lambda message, other: get(path_of(message))),
        ("no status", 400, lambda message, other: get(f"{path_of(message)}?sms_unique_id=an-id")),
        ("invalid UTF-8", 400, lambda message, other: get(f"{path_of(message)}?sms_unique_id=%ff&stat=DELIVRD")),
        ("NUL in the id", 400, lambda message, other: get(f"{path_of(message)}?sms_unique_id=an%00id&stat=DELIVRD")),
        ("account URL without an id", 400, lambda message, other: get(f"{account_path()}?stat=DELIVRD")),
        ("two statuses", 400, lambda message, other: get(f"{path_of(message)}{QUERY}&stat=FAILED")),
        (
            "id that is too long",
            400,
            lambda message, other: get(f"{path_of(message)}?sms_unique_id={'x' * 129}&stat=DELIVRD"),
        ),
        ("invalid JSON", 400, lambda message, other: post(path_of(message), b"{")),
        ("JSON array", 400, lambda message, other: post(path_of(message), b"[]")),
        (
            "NaN",
            400,
            lambda message, other: post(path_of(message), b'{"message_id": "an-id", "status": "SEEN", "x": NaN}'),
        ),
        ("deep JSON", 400, lambda message, other: post(path_of(message), b"[" * 30000 + b"]" * 30000)),
        ("number as id", 400, lambda message, other: post(path_of(message), b'{"message_id": 1, "status": "SEEN"}')),
        ("no ids", 400, lambda message, other: post(path_of(message), b'{"status": "SEEN"}')),
        ("body that is too long", 413, lambda message, other: post(path_of(message), b" " * (MAX_BODY + 1))),
        ("path with a suffix", 403, lambda message, other: get(f"{path_of(message)}more{QUERY}")),
        ("two slashes", 403, lambda message, other: get(f"{path_of(message)}/{QUERY}")),
        ("newline in the path", 403, lambda message, other: get(f"{path_of(message)}%0A{QUERY}")),
        ("NUL in the path", 403, lambda message, other: get(f"{path_of(message)}%00/{QUERY}")),
        ("PUT", 405, lambda message, other: Client().put(path_of(message) + QUERY)),
        ("DELETE", 405, lambda message, other: Client().delete(path_of(message) + QUERY)),
        ("HEAD", 405, lambda message, other: Client().head(path_of(message) + QUERY)),
    ]


@pytest.mark.parametrize(("status", "send"), [pytest.param(*rest, id=name) for name, *rest in rejected_requests()])
def test_callback__rejected_stores_and_reveals_nothing(
    status: int,
    send: RequestFunction,
    message: SmsMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = SmsMessageFactory.create(sms_unique_id="another-id")
    before = list(SmsMessage.objects.order_by("pk").values())
    with caplog.at_level(logging.DEBUG):
        response = send(message, other)
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
def test_callback__each_password_verifies(message: SmsMessage, password: str) -> None:
    assert post("/messente/dlr/", password=password).status_code == 200


def test_callback__old_key_verifies_until_removed(message: SmsMessage, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["the old key"]}
    path = path_of(message)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a new key", "the old key"]}
    assert path_of(message) != path
    assert Client().get(path + QUERY).status_code == 200
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a new key"]}
    assert Client().get(path + QUERY).status_code == 403


def test_callback__url_of_removed_account_is_rejected(settings: Any) -> None:
    path = account_path("marketing")
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": {"default": {"USERNAME": "a", "PASSWORD": "b"}}}
    assert Client().get(path + QUERY).status_code == 403


def test_callback__message_of_removed_account_is_updated(message: SmsMessage, settings: Any) -> None:
    path = path_of(message)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": {"other": {"USERNAME": "a", "PASSWORD": "b"}}}
    assert Client().get(path + QUERY).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize("target", ["message", "account", "webhook"])
def test_callback__post_about_message_of_renamed_account_is_rejected(
    message: SmsMessage, settings: Any, target: str
) -> None:
    path = {"message": path_of(message), "account": account_path(), "webhook": "/messente/dlr/"}[target]
    before, key = settings.MESSENTE_DLR, {"USERNAME": "shop", "PASSWORD": PASSWORD}
    settings.MESSENTE_DLR = {**before, "ACCOUNTS": {"shop": key}}
    assert post(path).status_code == 403
    # The way that the README describes: both names, each with its own key.
    settings.MESSENTE_DLR = {**before, "ACCOUNTS": {"shop": {**key, "PASSWORD": "a-new-key"}, "default": key}}
    assert post(path).status_code == 200


@pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("gone")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_callback__database_error_is_503_until_retry(
    message: SmsMessage, failure: Exception, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(message)

    def send() -> Any:
        return Client(raise_request_exception=False).get(path + QUERY) if method == "get" else post(path)

    def fail(*args: Any) -> Any:
        raise failure

    with caplog.at_level(logging.DEBUG), connections["default"].execute_wrapper(fail):
        assert send().status_code == 503
    assert path.split("/")[3] not in caplog.text
    assert "could not be stored" in caplog.text
    assert not DeliveryReport.objects.exists()
    assert send().status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.usefixtures("orm_path")
def test_callback__persistent_conflict_is_503(message: SmsMessage) -> None:
    with mock.patch(
        "django_messente_dlr.receiving.record.apply_report", side_effect=receiving.apply.ConcurrentUpdate
    ):
        assert simulate_callback(message).status_code == 503
    assert not DeliveryReport.objects.exists()


@pytest.mark.usefixtures("orm_path")
def test_callback__single_conflict_is_retried(message: SmsMessage) -> None:
    from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_report

    with mock.patch(
        "django_messente_dlr.receiving.record.apply_report",
        side_effect=[ConcurrentUpdate, mock.DEFAULT],
        wraps=apply_report,
    ):
        assert simulate_callback(message).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


def test_callback__exempt_from_csrf_login_atomic_requests() -> None:
    view: Any = callback
    assert view.csrf_exempt is True
    assert view.login_required is False
    assert view._non_atomic_requests == set(connections)


def test_callback__atomic_requests_opens_no_transaction(message: SmsMessage) -> None:
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
    inside: list[bool] = []

    def record(*args: Any, **kwargs: Any) -> Any:
        inside.append(connections["default"].in_atomic_block)
        return mock.DEFAULT

    try:
        with mock.patch("django_messente_dlr.webhook.views.receiving.record", side_effect=record):
            assert simulate_callback(message).status_code == 200
    finally:
        connections["default"].settings_dict["ATOMIC_REQUESTS"] = False
    assert inside == [False]


@pytest.mark.parametrize("length", ["", "rubbish"])
def test_callback__content_length_missing_or_invalid(length: str) -> None:
    body = json.dumps(REPORT).encode()
    request = RequestFactory().post(
        "/messente/dlr/", body, content_type="application/json", headers={HEADER: sign(body, PASSWORD)}
    )
    assert request.body == body
    request.META["CONTENT_LENGTH"] = length
    assert callback(request).status_code == 200


def test_callback__body_over_upload_limit_is_413(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post("/messente/dlr/").status_code == 413


@pytest.mark.parametrize(("use_tz", "stored"), [(True, "2024-05-06T07:08:09+00:00"), (False, "2024-05-06T10:08:09")])
def test_callback__timestamp_follows_use_tz(settings: Any, stored: str, *, use_tz: bool) -> None:
    settings.USE_TZ = use_tz  # and TIME_ZONE is Europe/Tallinn, three hours ahead in summer
    with timezone.override("America/New_York"):  # as a middleware of the project may do
        assert simulate_omnichannel_callback({**REPORT, "timestamp": "2024-05-06T07:08:09"}).status_code == 200
    occurred_at = DeliveryReport.objects.get().occurred_at
    assert isinstance(occurred_at, datetime)
    assert occurred_at.isoformat() == stored


def test_last_callback_at__is_updated_once_a_minute(message: SmsMessage) -> None:
    simulate_callback(message, "ACCEPTD")
    last_callback_at = Account.objects.get(name="default").last_callback_at
    assert last_callback_at is not None
    simulate_callback(message, "DELIVRD")
    assert Account.objects.get(name="default").last_callback_at == last_callback_at
