"""The REST API conforms to the OpenAPI document of drf-spectacular, for permitted and other users."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from hypothesis import HealthCheck, settings
from rest_framework.permissions import SAFE_METHODS

from django_messente_dlr.api.views import MessageViewSet
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.integration.schema.app import Application

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: tox -e schema")

from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402 - needs schemathesis

load_all_checks()
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.unit.api.urls")]


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document that drf-spectacular generates in a project."""
    generator: Any = SchemaGenerator
    with mock.patch.object(MessageViewSet, "schema", AutoSchema()):
        document: dict[str, Any] = generator(urlconf="tests.unit.api.urls").get_schema(request=None, public=True)
    return document


application = Application()
schema = schemathesis.openapi.from_dict(openapi_document())
schema.app = application
# `prepare` authenticates every request, so ignored_auth fails. drf-spectacular documents no status of rejections. DRF
# ignores an invalid page_size. Not every string that the document permits is a cause or a cursor.
EXCLUDED = [
    CHECKS.get_one(name)
    for name in ("ignored_auth", "status_code_conformance", "negative_data_rejection", "positive_data_acceptance")
]
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def authenticate(environ: dict[str, Any], *, cookie: str) -> None:
    """Authenticate a request by its session only. DRF's basic authentication fails for a password with NUL."""
    environ.pop("HTTP_AUTHORIZATION", None)
    environ["HTTP_COOKIE"] = cookie


@pytest.fixture(autouse=True)
def _rows() -> Iterator[None]:
    failed = SmsMessageFactory.create(pk=1, status="rejected", err=7, price="0.1", parts=2, metadata={"order": [17]})
    DeliveryReportFactory.create(message=failed, stat="REJECTD", err=7, occurred_at=failed.created_at)
    SmsMessageFactory.create(pk=2, queued=True)
    client = Client()
    client.force_login(User.objects.create_superuser("reader"))
    application.prepare = partial(authenticate, cookie=f"sessionid={client.cookies['sessionid'].value}")
    yield
    application.prepare = lambda environ: None


@schema.parametrize()
@unhurried
def test_api__response_conforms_for_reader(case: Any) -> None:
    before = list(SmsMessage.objects.order_by("pk").values())
    response = case.call_and_validate(excluded_checks=EXCLUDED)
    # Without a CSRF token an unsafe method is rejected before the view runs.
    assert response.status_code in ({200, 400, 404, 405} if case.method in SAFE_METHODS else {403, 405})
    assert list(SmsMessage.objects.order_by("pk").values()) == before


@schema.parametrize()
@unhurried
def test_api__returns_nothing_without_permission(case: Any) -> None:
    application.prepare = partial(authenticate, cookie="")
    response = case.call()
    assert response.status_code in {401, 403, 404, 405}
    assert b"sms_unique_id" not in response.content
