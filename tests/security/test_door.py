"""The whole door under whatever may come: never a 500, never a redirect, and no row from whom nobody vouches for.

Each request goes through Django's own handler and the project's middleware. ``HYPOTHESIS_PROFILE=long`` draws more.
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
from tests.security.requests import PASSWORDS, SPEAKERS, Plan, plan_of, plans
from tests.security.wsgi import Answer, Door

pytestmark = pytest.mark.django_db(transaction=True)

door = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
VERBS = st.sampled_from(["GET", "POST"])
OTHERS = st.sampled_from(["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "X" * 200, ""])
MODELS: list[type[Model]] = [SmsMessage, DeliveryReport, Account]


class Shop:
    """A message of each account, and the door that reports about them come through."""

    def __init__(self) -> None:
        self.door = Door()
        self.numbers = itertools.count()

    def ask(self, plan: Plan) -> tuple[Answer, Any, Any]:
        """Have a request made about messages that are new, and return its answer and all rows before and after."""
        SmsMessage.objects.all().delete()
        DeliveryReport.objects.all().delete()
        number = next(self.numbers)
        self.ids = {account: f"{account}-{number}" for account in PASSWORDS}
        self.rows = {
            account: SmsMessageFactory.create(account=account, sms_unique_id=id_).pk
            for account, id_ in self.ids.items()
        }
        speaks_of = plan.account or "default"
        before = content()
        answer = self.door.ask(plan.request(self.rows, id_=self.ids[speaks_of]))
        return answer, before, content()

    def secrets(self, plan: Plan) -> Iterator[str]:
        """What must not be told to anybody."""
        yield from itertools.chain.from_iterable(PASSWORDS.values())
        if token := plan.token(self.rows).decode():
            yield token
            yield token.rpartition(".")[2]


def content() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(_rows_of(model)) for model in MODELS}


def _rows_of(model: type[Model]) -> Any:
    return model._default_manager.order_by("pk").values()


@pytest.fixture
def shop() -> Shop:
    return Shop()


def assert_civil(shop: Shop, answer: Answer, plan: Plan) -> None:
    """What holds for every answer."""
    assert answer.status in {200, 400, 403, 405, 413}, answer
    assert "Location" not in answer.headers
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "no-store" in answer.headers["Cache-Control"]
    assert "could not be" not in answer.logged
    assert "Traceback" not in answer.logged
    for secret in shop.secrets(plan):
        assert secret not in answer.logged
        assert secret.encode() not in answer.body


@door
@given(plan=plans(methods=VERBS))
def test_whatever_comes_is_answered_and_only_who_is_verified_leaves_a_row(shop: Shop, plan: Plan) -> None:
    answer, before, after = shop.ask(plan)
    assert_civil(shop, answer, plan)
    if plan.account is None:
        assert answer.status in {403, 413}
    if answer.status != 200:
        assert after == before
        assert answer.body.endswith(b".")
        return
    assert answer.body == b"OK"
    [report] = after["DeliveryReport"]
    assert report["account"] == plan.account
    for row in after["SmsMessage"]:
        assert row["account"] == plan.account or row in before["SmsMessage"]


@door
@given(plan=plans(methods=VERBS, true=True))
def test_each_report_that_is_verified_and_well_formed_is_one_row(shop: Shop, plan: Plan) -> None:
    answer, _, after = shop.ask(plan)
    assert_civil(shop, answer, plan)
    assert (answer.status, answer.body) == (200, b"OK")
    assert plan.account is not None
    [report] = after["DeliveryReport"]
    assert report["sms_unique_id"] == shop.ids[plan.account]
    assert report["message_id"] == shop.rows[plan.account]
    again = shop.door.ask(plan.request(shop.rows, id_=shop.ids[plan.account]))
    assert again.status == 200
    [repeated] = DeliveryReport.objects.values()
    assert repeated == {**report, "times_received": 2}


SIGNERS = [*((account, live[0]) for account, live in PASSWORDS.items()), ("default", PASSWORDS["default"][1]), None]


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_url_and_signature_must_both_be_true_and_the_same_accounts(
    shop: Shop, method: str, speaker: tuple[str, bool] | None
) -> None:
    answered = {}
    for signer, forged, twisted in itertools.product(SIGNERS, ["", "0" * 64], [False, True]):
        plan = plan_of(method, speaker, signer=signer, forged=forged, twisted=twisted)
        answer, before, after = shop.ask(plan)
        assert_civil(shop, answer, plan)
        answered[plan] = answer.status
        assert (after == before) is (answer.status != 200)
    assert answered == {plan: 403 if plan.account is None else 200 for plan in answered}


@door
@given(plan=plans(methods=OTHERS))
def test_other_methods_are_refused_whoever_asks(shop: Shop, plan: Plan) -> None:
    answer, before, after = shop.ask(plan)
    assert_civil(shop, answer, plan)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, POST"
    assert after == before
