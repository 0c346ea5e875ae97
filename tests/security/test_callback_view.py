"""The callback view never responds 500 or a redirect, and writes no row for an unauthenticated request.

Each request passes Django's WSGI handler and the middleware of the project. ``HYPOTHESIS_PROFILE=long`` draws more
requests.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import Model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.security.requests import PASSWORDS, URL_OWNERS, Plan, plans, simple_plan
from tests.security.wsgi import Response, WSGIClient

pytestmark = pytest.mark.django_db(transaction=True)

slow_requests = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ACCEPTED_METHODS = st.sampled_from(["GET", "POST"])
REFUSED_METHODS = st.sampled_from(
    ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "X" * 200, ""]
)
MODELS: list[type[Model]] = [SmsMessage, DeliveryReport, Account]


class Shop:
    """A message of each account, and a client that sends reports of them."""

    def __init__(self) -> None:
        self.wsgi = WSGIClient()
        self.numbers = itertools.count()

    def send(self, plan: Plan) -> tuple[Response, Any, Any]:
        """Create messages, send the request, and return the response, the rows before it and the rows after it."""
        SmsMessage.objects.all().delete()
        DeliveryReport.objects.all().delete()
        number = next(self.numbers)
        self.ids = {account: f"{account}-{number}" for account in PASSWORDS}
        self.rows = {
            account: SmsMessageFactory.create(account=account, sms_unique_id=id_) for account, id_ in self.ids.items()
        }
        account = plan.account or "default"
        before = all_rows()
        response = self.wsgi.send(plan.request(self.rows, id_=self.ids[account]))
        return response, before, all_rows()

    def secrets(self, plan: Plan) -> Iterator[str]:
        """Yield the texts that no response and no log may contain."""
        yield from itertools.chain.from_iterable(PASSWORDS.values())
        if token := plan.token(self.rows).decode():
            yield token
            yield token.rpartition(".")[2]


def all_rows() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(_rows(model)) for model in MODELS}


def _rows(model: type[Model]) -> Any:
    return model._default_manager.order_by("pk").values()


@pytest.fixture
def shop() -> Shop:
    return Shop()


def assert_safe(shop: Shop, response: Response, plan: Plan) -> None:
    """Check what every response must fulfil."""
    assert response.status in {200, 400, 403, 405, 413}, response
    assert "Location" not in response.headers
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "no-store" in response.headers["Cache-Control"]
    assert "could not be" not in response.logged
    assert "Traceback" not in response.logged
    for secret in shop.secrets(plan):
        assert secret not in response.logged
        assert secret.encode() not in response.body


@slow_requests
@given(plan=plans(methods=ACCEPTED_METHODS))
def test_callback__any_request(shop: Shop, plan: Plan) -> None:
    """Every request gets a valid response, and only an authenticated one writes rows."""
    response, before, after = shop.send(plan)
    assert_safe(shop, response, plan)
    if plan.account is None:
        assert response.status in {403, 413}
    if response.status != 200:
        assert after == before
        assert response.body.endswith(b".")
        return
    assert response.body == b"OK"
    [report] = after["DeliveryReport"]
    assert report["account"] == plan.account
    for row in after["SmsMessage"]:
        assert row["account"] == plan.account or row in before["SmsMessage"]


@slow_requests
@given(plan=plans(methods=ACCEPTED_METHODS, valid=True))
def test_callback__valid_report_is_one_row(shop: Shop, plan: Plan) -> None:
    response, _, after = shop.send(plan)
    assert_safe(shop, response, plan)
    assert (response.status, response.body) == (200, b"OK")
    assert plan.account is not None
    [report] = after["DeliveryReport"]
    assert report["sms_unique_id"] == shop.ids[plan.account]
    assert report["message_id"] == shop.rows[plan.account].pk
    second_response = shop.wsgi.send(plan.request(shop.rows, id_=shop.ids[plan.account]))
    assert second_response.status == 200
    [repeated] = DeliveryReport.objects.values()
    assert repeated == {**report, "times_received": 2}


SIGNERS = [
    *((account, passwords[0]) for account, passwords in PASSWORDS.items()),
    ("default", PASSWORDS["default"][1]),
    None,
]


@pytest.mark.parametrize("owner", URL_OWNERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_callback__url_and_signature(shop: Shop, method: str, owner: tuple[str, bool] | None) -> None:
    """A GET needs a valid token. A POST needs a valid signature, and a token in its URL must be of that account."""
    statuses = {}
    for signer, forged, corrupted in itertools.product(SIGNERS, ["", "0" * 64], [False, True]):
        plan = simple_plan(method, owner, signer=signer, forged=forged, corrupted=corrupted)
        response, before, after = shop.send(plan)
        assert_safe(shop, response, plan)
        statuses[plan] = response.status
        assert (after == before) is (response.status != 200)
    assert statuses == {plan: 403 if plan.account is None else 200 for plan in statuses}


@slow_requests
@given(plan=plans(methods=REFUSED_METHODS))
def test_callback__other_method(shop: Shop, plan: Plan) -> None:
    response, before, after = shop.send(plan)
    assert_safe(shop, response, plan)
    assert response.status == 405
    assert response.headers["Allow"] == "GET, POST"
    assert after == before
