"""The callback view keeps what its OpenAPI document says, for verified and unverified requests alike."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.conf import settings as django_settings
from django.urls import get_script_prefix
from hypothesis import HealthCheck, settings

from django_messente_dlr import callbacks
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import DeliveryReport
from tests.integration.schema.app import Application

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: tox -e schema")
jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")

from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402 - there only where schemathesis is

pytestmark = pytest.mark.django_db(transaction=True)
load_all_checks()
checks = {name: CHECKS.get_one(name) for name in CHECKS.get_all_names()}
# The door takes more than the document says, such as err as a fraction. And a request that we vouch for
# has its header, whatever schemathesis left out.
LENIENT = [checks[name] for name in ("negative_data_rejection", "missing_required_header", "ignored_auth")]

application = Application()
document = yaml.safe_load(files("django_messente_dlr").joinpath("webhook/openapi.yaml").read_text(encoding="utf-8"))
schema = schemathesis.openapi.from_dict(document)
schema.app = application
schema.config.generation.update(allow_x00=False)  # JSON has that character, and no text of a database's
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def vouch(environ: dict[str, Any]) -> None:
    """Make a request one of Messente's: with an account's own URL, and signed."""
    if environ["PATH_INFO"].strip("/") != "messente/dlr":
        environ["PATH_INFO"] = urlsplit(callbacks.callback_url()).path
    if environ["REQUEST_METHOD"] == "GET" and not told(environ["QUERY_STRING"]):
        environ["QUERY_STRING"] = "stat=DELIVRD"
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["HTTP_X_MESSENTE_SIGNATURE"] = sign(body, "a-password")


def told(query: str) -> bool:
    """Tell whether a query says something of a message, which the document has to leave open."""
    given = dict(parse_qsl(query))
    return any(given.get(name, "").strip() for name in ("stat", "status", "dlr-mask", "err"))


@schema.parametrize()
@unhurried
def test_who_is_not_verified_is_answered_as_the_document_says(case: Any) -> None:
    application.prepare = lambda environ: None
    response = case.call_and_validate()
    assert response.status_code in {403, 405, 413}
    assert not DeliveryReport.objects.exists()


@schema.parametrize()
@unhurried
def test_who_is_verified_is_answered_as_the_document_says(case: Any) -> None:
    application.prepare = vouch
    response = case.call_and_validate(excluded_checks=LENIENT)
    assert response.status_code != 503


def fits(value: Any, part: dict[str, Any]) -> bool:
    """Tell whether a part of the document lets a value in."""
    whole = {**document, **part}
    return bool(jsonschema.Draft7Validator(whole).is_valid(value))


@pytest.mark.parametrize(
    "query",
    [
        "sms_unique_id=d92bb23c3c68f018&stat=DELIVRD&err=000",
        "sms_unique_id=an%20id&stat=&status=DELIVERED",
        "sms_unique_id=an-id&dlr-mask=2&sender=Shop&to=37255500000",
        "sms_unique_id=an-id&stat=IN%20TRANSIT&err=",
        "err=999",
    ],
)
def test_a_gateway_that_goes_by_the_document_lets_reports_by_get_in(query: str) -> None:
    parameters = document["paths"]["/dlr/{token}/"]["get"]["parameters"]
    sent = dict(parse_qsl(query, keep_blank_values=True))
    assert not [one["name"] for one in parameters if one.get("required") and one["name"] not in sent]
    assert all(fits(sent[one["name"]], one["schema"]) for one in parameters if one["name"] in sent)


@pytest.mark.parametrize(
    ("report", "let_in"),
    [
        ({"message_id": "an-id", "omnimessage_id": "", "status": "DELIVRD", "err": 0}, True),
        ({"message_id": "an-id", "status": "SEEN", "err": "000", "channel": "viber", "new": {"deep": [1]}}, True),
        ({"omnimessage_id": "an-id", "status": "FAILED"}, True),
        ({"message_id": "an-id", "err": 4}, True),
        ({"message_id": "an-id", "status": "", "err": ""}, False),
        ({"status": "DELIVRD"}, False),
        ({"message_id": " ", "status": "DELIVRD"}, False),
    ],
)
def test_a_gateway_that_goes_by_the_document_lets_reports_by_post_in(report: dict[str, Any], let_in: bool) -> None:
    assert fits(report, {"$ref": "#/components/schemas/Report"}) is let_in


@pytest.mark.parametrize("url", [callbacks.message_callback_url(2**63 - 1, "A-b_9"), callbacks.callback_url()])
def test_a_gateway_that_goes_by_the_document_lets_our_urls_in(url: str) -> None:
    for handed_out in (url, tokens.probe_url()[0]):
        token = urlsplit(handed_out).path.strip("/").rpartition("/")[2]
        assert fits(token, document["components"]["parameters"]["token"]["schema"])


def test_the_document_speaks_of_the_urls_that_there_are() -> None:
    [server] = document["servers"]
    prefix = f"{get_script_prefix()}messente"
    assert server["url"] == prefix
    paths = {f"{prefix}{path}" for path in document["paths"]}
    assert paths == {tokens.webhook_path(), f"{tokens.webhook_path()}{{token}}/"}
    assert django_settings.ROOT_URLCONF == "tests.urls"
