"""Bodies: capped whatever the header says of their length, and read where there is no length at all."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
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
    """A body that counts what is taken of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def post(body: io.BytesIO, *, signed: bytes = BODY, **meta: Any) -> tuple[HttpRequest, HttpResponse]:
    """Post a body as a WSGI server hands it on."""
    environ: dict[str, Any] = {
        "HTTP_X_MESSENTE_SIGNATURE": sign(signed, "a-password"),
        "CONTENT_TYPE": "application/json",
    }
    request = RequestFactory().post("/messente/dlr/", **environ, **{"wsgi.input": body} | meta)
    return request, callback(request)


def stored() -> int:
    return DeliveryReport.objects.count()


def test_the_header_is_the_one_that_these_tests_spell_out() -> None:
    assert "HTTP_" + HEADER.upper().replace("-", "_") == "HTTP_X_MESSENTE_SIGNATURE"


def test_a_body_with_its_length_is_taken() -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=str(len(BODY)))
    assert (response.status_code, stored()) == (200, 1)


def test_a_chunked_body_without_a_length_is_taken_where_the_server_ends_it() -> None:
    _, response = post(io.BytesIO(BODY), **CHUNKED)
    assert (response.status_code, stored()) == (200, 1)


def test_a_chunked_body_without_an_end_is_refused_unread() -> None:
    tap = Tap(BODY)
    _, response = post(tap, CONTENT_LENGTH="")
    assert (response.status_code, stored(), tap.taken) == (403, 0, 0)


@pytest.mark.parametrize(
    "meta",
    [{"CONTENT_LENGTH": str(10**9)}, CHUNKED],
    ids=["told", "chunked"],
)
def test_no_more_is_read_than_a_body_may_have(meta: dict[str, Any]) -> None:
    tap = Tap(b" " * (10 * MAX_BODY))
    _, response = post(tap, **meta)
    assert (response.status_code, stored()) == (413, 0)
    assert tap.taken <= MAX_BODY + 1


def test_the_greatest_body_that_there_may_be_is_taken() -> None:
    body = BODY[:-1] + b" " * (MAX_BODY - len(BODY)) + b"}"
    assert len(body) == MAX_BODY
    _, response = post(io.BytesIO(body), signed=body, CONTENT_LENGTH=str(MAX_BODY))
    assert (response.status_code, stored()) == (200, 1)


@pytest.mark.parametrize("told", [str(len(BODY) - 1), str(len(BODY) + 1), "1", "0", "-1", "-99999", "rubbish", "1e3"])
def test_a_length_that_lies_is_never_a_500(told: str) -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=told)
    # A body that ends early is the whole body; one that is cut short is not what was signed.
    expected = 200 if told == str(len(BODY) + 1) else 403
    assert (response.status_code, stored()) == (expected, int(expected == 200))


@pytest.mark.parametrize("digits", ["9" * 5000, "\u0661", "\u00b2"])
def test_a_length_that_is_hardly_a_number_is_a_4xx(digits: str) -> None:
    _, response = post(io.BytesIO(BODY), CONTENT_LENGTH=digits)
    assert response.status_code in {403, 413}
    assert stored() == 0


@pytest.mark.parametrize("failure", [OSError("reset"), ConnectionResetError(), UnreadablePostError("reset")])
def test_a_body_that_breaks_off_is_a_400(failure: Exception) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise failure

    _, response = post(Broken(), CONTENT_LENGTH="100")
    assert (response.status_code, stored()) == (400, 0)


def test_a_body_that_a_middleware_has_read_is_still_there() -> None:
    request = RequestFactory().post("/messente/dlr/", BODY, content_type="application/json")
    request.META["HTTP_X_MESSENTE_SIGNATURE"] = sign(BODY, "a-password")
    assert request.body == BODY
    assert callback(request).status_code == 200


def test_a_body_that_a_middleware_has_used_up_is_a_403() -> None:
    request = RequestFactory().post("/messente/dlr/", {"status": "DELIVRD"})  # multipart
    request.META["HTTP_X_MESSENTE_SIGNATURE"] = sign(BODY, "a-password")
    assert request.POST["status"] == "DELIVRD"
    assert callback(request).status_code == 403
    assert stored() == 0
