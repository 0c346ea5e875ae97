"""The callback view conforms to its OpenAPI document, for authenticated and other requests."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.conf import settings as django_settings
from django.urls import get_script_prefix
from hypothesis import HealthCheck, settings

from django_messente_dlr import callbacks
from django_messente_dlr.callbacks import paths, tokens
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import DeliveryReport
from tests.integration.schema.app import Application

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: tox -e schema")
jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")

from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402 - needs schemathesis

pytestmark = pytest.mark.django_db(transaction=True)
load_all_checks()
checks = {name: CHECKS.get_one(name) for name in CHECKS.get_all_names()}
# The view accepts more than the document states, such as a fraction as err. `authenticate` adds the header of the
# signature to each request, even if schemathesis omits it on purpose.
EXCLUDED = [checks[name] for name in ("negative_data_rejection", "missing_required_header", "ignored_auth")]

application = Application()
document = yaml.safe_load(files("django_messente_dlr").joinpath("webhook/openapi.yaml").read_text(encoding="utf-8"))
schema = schemathesis.openapi.from_dict(document)
schema.app = application
schema.config.generation.update(allow_x00=False)  # valid in JSON, but PostgreSQL cannot store it
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def authenticate(environ: dict[str, Any]) -> None:
    """Give a request the signed URL of an account and the signature of its body."""
    if environ["PATH_INFO"].strip("/") != "messente/dlr":
        environ["PATH_INFO"] = urlsplit(callbacks.callback_url()).path
    if environ["REQUEST_METHOD"] == "GET" and not has_status(environ["QUERY_STRING"]):
        environ["QUERY_STRING"] = "stat=DELIVRD"
    if environ["REQUEST_METHOD"] == "GET":
        environ["QUERY_STRING"] = with_id(environ["QUERY_STRING"])
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["HTTP_X_MESSENTE_SIGNATURE"] = sign(body, "a-password")


def with_id(query: str) -> str:
    """Return a query with an id, which an account's URL needs. OpenAPI cannot require it for these URLs alone."""
    parameters = parse_qsl(query, keep_blank_values=True)
    if any(name == "sms_unique_id" and value.strip() for name, value in parameters):
        return query
    others = [(name, value) for name, value in parameters if name != "sms_unique_id"]
    return urlencode([*others, ("sms_unique_id", "an-id")])


def has_status(query: str) -> bool:
    """Return whether a query has a status or an error code. OpenAPI cannot require one of several parameters."""
    parameters = dict(parse_qsl(query))
    return any(parameters.get(name, "").strip() for name in ("stat", "status", "dlr-mask", "err"))


@schema.parametrize()
@unhurried
def test_callback__unauthenticated_response_conforms(case: Any) -> None:
    application.prepare = lambda environ: None
    response = case.call_and_validate()
    assert response.status_code in {403, 405, 413}
    assert not DeliveryReport.objects.exists()


@schema.parametrize()
@unhurried
def test_callback__authenticated_response_conforms(case: Any) -> None:
    application.prepare = authenticate
    response = case.call_and_validate(excluded_checks=EXCLUDED)
    assert response.status_code != 503


def is_valid(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value is valid under a schema of the document."""
    return bool(jsonschema.Draft7Validator({**document, **schema}).is_valid(value))


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
def test_document__accepts_get_reports(query: str) -> None:
    parameters = document["paths"]["/dlr/{token}/"]["get"]["parameters"]
    values = dict(parse_qsl(query, keep_blank_values=True))
    assert not [item["name"] for item in parameters if item.get("required") and item["name"] not in values]
    assert all(is_valid(values[item["name"]], item["schema"]) for item in parameters if item["name"] in values)


@pytest.mark.parametrize(
    ("report", "accepted"),
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
def test_document__accepts_post_reports_only(report: dict[str, Any], accepted: bool) -> None:
    assert is_valid(report, {"$ref": "#/components/schemas/Report"}) is accepted


LATEST = callbacks.MessageKey(2**63 - 1, datetime(4000, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("url", [callbacks.message_callback_url(LATEST, "A-b_9"), callbacks.callback_url()])
def test_document__accepts_created_urls(url: str) -> None:
    for created_url in (url, tokens.probe_url()[0]):
        token = urlsplit(created_url).path.strip("/").rpartition("/")[2]
        assert is_valid(token, document["components"]["parameters"]["token"]["schema"])


def test_document__has_existing_urls() -> None:
    [server] = document["servers"]
    prefix = f"{get_script_prefix()}messente"
    assert server["url"] == prefix
    urls = {f"{prefix}{path}" for path in document["paths"]}
    assert urls == {paths.webhook_path(), f"{paths.webhook_path()}{{token}}/"}
    assert django_settings.ROOT_URLCONF == "tests.urls"
