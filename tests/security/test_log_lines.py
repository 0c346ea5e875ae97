"""Data of a request is no line of its own, and no long text, in the log or in a response."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from rest_framework.test import APIClient

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import prepare_sms
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.security.wsgi import Request, WSGIClient

pytestmark = pytest.mark.django_db(transaction=True)

FORGED = "\r\nERROR a forged line \x1b[2J" + "x" * 3000
QUOTED = quote(FORGED)


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create(sms_unique_id="an-id")


@pytest.mark.parametrize(
    "query",
    [
        f"{QUOTED}=1",
        f"{QUOTED}=1&{QUOTED}=2",
        f"stat=DELIVRD&{QUOTED}=%ff&stat=FAILED",
        f"stat=DELIVRD&sms_unique_id={QUOTED}",
        f"stat={QUOTED}&status={QUOTED}&stat=1",
        f"err={QUOTED}&err=1",
    ],
)
def test_callback__query(message: SmsMessage, query: str) -> None:
    path = urlsplit(message.callback_url).path
    assert_short(Request(path=path.encode(), query=query.encode()), status=400)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(path=f"/messente/dlr/{QUOTED}/".encode(), query=b"stat=DELIVRD"), 403),
        (Request(method=f"PUT{FORGED}", path=b"/messente/dlr/"), 405),
        (Request(method="POST", path=b"/messente/dlr/", headers={"HTTP_X_MESSENTE_SIGNATURE": FORGED}), 403),
        (Request(method="POST", path=b"/messente/dlr/", headers={"CONTENT_TYPE": f"a/b{FORGED}"}), 403),
        (Request(method="POST", path=b"/messente/dlr/", length=FORGED), 403),
        (Request(method="POST", path=b"/messente/dlr/", headers={"HTTP_X_FORWARDED_FOR": FORGED}), 403),
    ],
    ids=["path", "method", "signature", "content type", "length", "forwarded for"],
)
def test_callback__request(request_: Request, status: int) -> None:
    assert_short(request_, status=status)


def assert_short(request: Request, *, status: int) -> None:
    response = WSGIClient().send(request)
    assert response.status == status
    assert response.body.decode().isprintable()
    assert len(response.body) < 200
    lines = [line for line in response.logged.splitlines() if "delivery report" in line or "forged" in line]
    assert len(lines) == 1
    assert "forged" not in lines[0]
    assert len(lines[0]) < 300


@pytest.mark.urls("tests.unit.api.urls")
@pytest.mark.parametrize("name", [QUOTED, "cause", "pending", "recipient"])
def test_api__error_is_short(admin_user: Any, name: str) -> None:
    reader = APIClient()
    reader.force_authenticate(admin_user)
    response = reader.get(f"/api/messente/messages/?{name}={QUOTED}")
    assert response.status_code == 400
    ((field, (text,)),) = response.json().items()
    assert f"{field}{text}".isprintable()
    assert len(field) < 100
    assert len(text) < 500


@pytest.mark.parametrize(
    "arguments", [{"to": FORGED}, {"to": f"12345678901.5{FORGED}"}, {"to": f"(0){FORGED}"}, {"sender": FORGED}]
)
def test_prepare_sms__error_is_short(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is checked here
        prepare_sms(**{"to": "+37255500000", **arguments})
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300
