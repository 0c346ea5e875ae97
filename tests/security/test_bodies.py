"""The callback view limits the body for every Content-Length, and reads a chunked body without a length."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.test import RequestFactory

from django_messente_dlr.messente.signatures import HEADER, sign
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.webhook.verification import MAX_BODY
from django_messente_dlr.webhook.views import callback

pytestmark = pytest.mark.django_db
BODY = json.dumps({"message_id": "an-id", "status": "DELIVRD"}).encode()
CHUNKED: dict[str, Any] = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}


class Tap(io.BytesIO):
    """A body that counts the bytes that are read from it."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.bytes_read += len(content)
        return content


def post(body: io.BytesIO, *, signed: bytes = BODY, **meta: Any) -> tuple[HttpRequest, HttpResponse]:
    """Call the callback view with a body, in the form that a WSGI server passes it."""
    environ: dict[str, Any] = {
        "HTTP_X_MESSENTE_SIGNATURE": sign(signed, "a-password"),
        "CONTENT_TYPE": "application/json",
    }
    request = RequestFactory().post("/messente/dlr/", **environ, **{"wsgi.input": body} | meta)
    return request, callback(request)


def report_count() -> int:
    return DeliveryReport.objects.count()


def test_header__name_in_environ() -> None:
    assert "HTTP_" + HEADER.upper().replace("-", "_") == "HTTP_X_MESSENTE_SIGNATURE"


def test_body__with_length() -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=str(len(BODY)))
    assert (response.status_code, report_count()) == (200, 1)


def test_body__chunked() -> None:
    """``wsgi.input_terminated`` states that the server ends the stream, so that reading cannot block."""
    _, response = post(io.BytesIO(BODY), **CHUNKED)
    assert (response.status_code, report_count()) == (200, 1)


def test_body__chunked_unterminated() -> None:
    tap = Tap(BODY)
    _, response = post(tap, CONTENT_LENGTH="")
    assert (response.status_code, report_count(), tap.bytes_read) == (403, 0, 0)


@pytest.mark.parametrize(
    "meta",
    [{"CONTENT_LENGTH": str(10**9)}, CHUNKED],
    ids=["length", "chunked"],
)
def test_body__too_large(meta: dict[str, Any]) -> None:
    tap = Tap(b" " * (10 * MAX_BODY))
    _, response = post(tap, **meta)
    assert (response.status_code, report_count()) == (413, 0)
    assert tap.bytes_read <= MAX_BODY + 1


def test_body__of_maximal_size() -> None:
    body = BODY[:-1] + b" " * (MAX_BODY - len(BODY)) + b"}"
    assert len(body) == MAX_BODY
    _, response = post(io.BytesIO(body), signed=body, CONTENT_LENGTH=str(MAX_BODY))
    assert (response.status_code, report_count()) == (200, 1)


@pytest.mark.parametrize(
    "length", [str(len(BODY) - 1), str(len(BODY) + 1), "1", "0", "-1", "-99999", "rubbish", "1e3"]
)
def test_length__wrong(length: str) -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=length)
    # A length that is too large still reads the complete body. A shorter one cuts it, so that the signature is wrong.
    expected = 200 if length == str(len(BODY) + 1) else 403
    assert (response.status_code, report_count()) == (expected, int(expected == 200))


@pytest.mark.parametrize("digits", ["9" * 5000, "\u0661", "\u00b2"])
def test_length__not_an_ascii_number(digits: str) -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=digits)
    assert response.status_code in {403, 413}
    assert report_count() == 0


class Broken(io.BytesIO):
    """A body that raises an exception when it is read."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    def read(self, size: int | None = -1) -> bytes:
        raise self.failure


class InvalidChunkSize(Exception):
    """An exception like gunicorn's for malformed chunks, which are of no class of the standard library."""


UNREADABLE = [
    OSError("reset"),
    ConnectionResetError(),
    UnreadablePostError("reset"),
    InvalidChunkSize("ZZ"),
    ValueError("Bad chunked transfer size: ZZ"),  # cheroot
    ValueError("I/O operation on closed file."),  # a middleware has closed the body
    RequestDataTooBig("Request body exceeded settings.DATA_UPLOAD_MAX_MEMORY_SIZE."),
    TooManyFieldsSent("The number of GET/POST parameters exceeded settings."),
]


@pytest.mark.parametrize("meta", [{"CONTENT_LENGTH": "100"}, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("failure", UNREADABLE, ids=lambda failure: f"{type(failure).__name__}-{failure}"[:30])
def test_body__unreadable(failure: Exception, meta: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    _, response = post(Broken(failure), **meta)
    assert (response.status_code, report_count()) == (400, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert len(caplog.records[0].getMessage()) < 200
    assert "Traceback" not in caplog.text
    assert 'File "' not in caplog.text


def test_body__read_by_middleware() -> None:
    request = RequestFactory().post("/messente/dlr/", BODY, content_type="application/json")
    request.META["HTTP_X_MESSENTE_SIGNATURE"] = sign(BODY, "a-password")
    assert request.body == BODY
    assert callback(request).status_code == 200


def test_body__consumed_by_middleware() -> None:
    """Reading ``request.POST`` of a multipart body consumes the stream, so that the signature cannot be checked."""
    request = RequestFactory().post("/messente/dlr/", {"status": "DELIVRD"})  # multipart
    request.META["HTTP_X_MESSENTE_SIGNATURE"] = sign(BODY, "a-password")
    assert request.POST["status"] == "DELIVRD"
    assert callback(request).status_code == 403
    assert report_count() == 0
