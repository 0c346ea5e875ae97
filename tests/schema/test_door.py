"""The callback view keeps what its OpenAPI document says, for verified and unverified requests alike."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.urls import get_script_prefix
from hypothesis import HealthCheck, settings

from django_messente_dlr import callbacks
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import DeliveryReport
from tests.schema.app import Application

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: tox -e schema")
yaml = pytest.importorskip("yaml")

from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402 - there only where schemathesis is

pytestmark = pytest.mark.django_db(transaction=True)
load_all_checks()
checks = {name: CHECKS.get_one(name) for name in CHECKS.get_all_names()}
# The door takes more than the document says, such as err as a fraction. And a request that we vouch for
# has its header, whatever schemathesis left out.
LENIENT = [checks[name] for name in ("negative_data_rejection", "missing_required_header", "ignored_auth")]

application = Application()
document = yaml.safe_load(files("django_messente_dlr").joinpath("callback_door.yaml").read_text(encoding="utf-8"))
schema = schemathesis.openapi.from_dict(document)
schema.app = application
schema.config.generation.update(allow_x00=False)  # JSON has that character, and no text of a database's
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def vouch(environ: dict[str, Any]) -> None:
    """Make a request one of Messente's: with an account's own URL, and signed."""
    if environ["PATH_INFO"].strip("/") != "messente/dlr":
        environ["PATH_INFO"] = urlsplit(callbacks.callback_url()).path
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["HTTP_X_MESSENTE_SIGNATURE"] = sign(body, "a-password")


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


def test_the_document_speaks_of_the_urls_that_there_are() -> None:
    [server] = document["servers"]
    prefix = f"{get_script_prefix()}messente"
    assert server["url"] == prefix
    paths = {f"{prefix}{path}" for path in document["paths"]}
    assert paths == {callbacks.webhook_path(), f"{callbacks.webhook_path()}{{token}}/"}
    assert django_settings.ROOT_URLCONF == "tests.urls"
