"""With ALLOWED_RECIPIENTS or OVERRIDE_RECIPIENT, no operation of this app requests a message to another number.

The sandbox receives the requests over HTTP. Each request is examined, also one that the sandbox refuses.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import pytest
import requests
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_messente_dlr import sending
from django_messente_dlr.management import commands
from django_messente_dlr.messente.client import MessenteClient
from django_messente_dlr.sandbox import Sandbox
from tests.security import operations
from tests.security.operations import OPERATIONS, SENDING, Site, attempt
from tests.unit.admin.pages import MODELS, html, page_url

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "mysql", reason="runs on SQLite and PostgreSQL"),
]
ALLOWED: dict[str, Any] = {"ALLOWED_RECIPIENTS": ["+372 555 00000", "372 5551*", "+44 (7700) 900*"]}
OVERRIDE: dict[str, Any] = {"OVERRIDE_RECIPIENT": "+372 555-00000"}
STAGING: dict[str, tuple[dict[str, Any], str]] = {
    # The settings, and the digits of the numbers that may get messages.
    "allowed": (ALLOWED, r"37255500000|3725551\d*|447700900\d*"),
    "none": ({"ALLOWED_RECIPIENTS": []}, "none"),
    "override": (OVERRIDE, "37255500000"),
    "override and allowed": (ALLOWED | OVERRIDE, "37255500000"),
    "override that is not allowed": ({"ALLOWED_RECIPIENTS": ["44*"], **OVERRIDE}, "none"),
}
SEPARATORS = ["", "", "", "", " ", "-", ".", "(", ")", "\u00a0", "\u200b", "\u2011"]
# Allowed numbers, and numbers that differ by few digits. Each ends with 000, which the sandbox delivers.
NEAR = [
    *("37255500000", "37255510000", "447700900000", "3725550000", "372555000000", "37255501000", "37255500000000"),
    *("37155510000", "4477009000", "447700800000", "037255500000", "137255510000", "55500000", "447700900123000"),
]


@st.composite
def numbers(draw: st.DrawFn) -> Any:
    """Generate a number in a spelling that people use, an integer, or two numbers in one text."""
    number = draw(st.sampled_from(NEAR) | st.from_regex(r"[1-9][0-9]{5,10}000", fullmatch=True))
    if draw(st.integers(0, 9)) == 0:
        return int(number)
    blanks = draw(st.lists(st.sampled_from(SEPARATORS), min_size=len(number), max_size=len(number)))
    spelled = draw(st.sampled_from(["+", "+", "", "00", "+(", " +", "+00"])) + "".join(
        digit + blank for digit, blank in zip(number, blanks, strict=True)
    )
    if draw(st.integers(0, 4)) == 0:
        spelled += draw(st.sampled_from([" ", ",", ", +", ";", "\n", "\0"])) + draw(st.sampled_from(NEAR))
    return spelled


@pytest.fixture
def site(messente_sandbox: Sandbox, settings: Any) -> Site:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": None}
    browser = Client()
    browser.force_login(User.objects.create_superuser("root"))
    return Site(messente_sandbox, browser)


@pytest.fixture
def recipients() -> Iterator[list[str]]:
    """Collect the recipients in the bodies of all requests."""
    found: list[str] = []
    send = requests.Session.send

    def send_and_collect(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        found.extend(_recipients(body))
        return send(session, request, **options)

    with mock.patch.object(requests.Session, "send", send_and_collect):
        yield found


def _recipients(body: str) -> list[str]:
    if not body.startswith("{"):
        return parse_qs(body).get("to", [])
    payload = json.loads(body)
    return [str(item["to"]) for item in (payload, *payload["messages"]) if "to" in item]


def use(settings: Any, staging: str, **values: Any) -> re.Pattern[str]:
    """Change the settings; return the pattern of the digits that may get messages."""
    recipients, pattern = STAGING[staging]
    kept = {key: value for key, value in settings.MESSENTE_DLR.items() if key not in ALLOWED | OVERRIDE}
    settings.MESSENTE_DLR = {**kept, **recipients, **values}
    return re.compile(pattern, re.ASCII)


@pytest.mark.parametrize("name", OPERATIONS)
@example(staging="allowed", api="sms", number="+447700800000")
@example(staging="allowed", api="omnichannel", number="37255510000,447700800000")
@example(staging="allowed", api="sms", number="37255510000 447700800000")
@example(staging="none", api="sms", number="+37255500000")
@example(staging="override", api="omnichannel", number="+447700800000")
@example(staging="override and allowed", api="sms", number="+37255510000")
@example(staging="override that is not allowed", api="omnichannel", number="+447700800000")
@given(staging=st.sampled_from([*STAGING]), api=st.sampled_from(["sms", "omnichannel"]), number=numbers())
@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_operation__no_other_number(  # noqa: PLR0917 - pytest passes the fixtures by name
    name: str, staging: str, api: str, site: Site, settings: Any, recipients: list[str], number: Any
) -> None:
    pattern = use(settings, staging, SEND_API=api)
    recipients.clear()
    earlier = len(site.sandbox.messages)
    attempt(site, name, number)
    seen = [*recipients, *(message.recipient for message in site.sandbox.messages[earlier:])]
    digits = [re.sub(r"[\s().+-]", "", recipient) for recipient in seen]
    assert [number for number in digits if not (pattern.fullmatch(number) and len(number) <= 15)] == []


# The operations that this app cannot change the recipient of.
NOT_OVERRIDDEN = {"function prepare_sms", *(name for name in SENDING if name.startswith("client"))}


@pytest.mark.parametrize(
    ("staging", "number", "silent"),
    [
        ("allowed", "+37255500000", set()),
        ("override", "+37255500000", {"function prepare_sms"}),
        ("override and allowed", "+37255500000", {"function prepare_sms"}),
        ("override", "+447700800000", NOT_OVERRIDDEN),
    ],
)
def test_operation__allowed_number(  # noqa: PLR0917 - pytest passes the fixtures by name
    staging: str, number: str, silent: set[str], site: Site, settings: Any, recipients: list[str]
) -> None:
    """The sandbox gets the messages that it may get, so that the test above does not pass for nothing."""
    use(settings, staging)
    found: dict[str, set[str]] = {}
    for name in OPERATIONS:
        earlier, count = len(recipients), len(site.sandbox.messages)
        attempt(site, name, number)
        found[name] = {*recipients[earlier:], *(message.recipient for message in site.sandbox.messages[count:])}
    assert found == {name: {"+37255500000"} if name in SENDING - silent else set() for name in OPERATIONS}


def test_operations__public_functions() -> None:
    functions = {name for name in sending.__all__ if not inspect.isclass(getattr(sending, name))}
    assert functions == operations.FUNCTIONS.keys()


def test_operations__client() -> None:
    methods = {name for name, _ in inspect.getmembers(MessenteClient, callable) if not name.startswith("_")}
    assert methods == operations.CLIENT.keys()


def test_operations__commands() -> None:
    assert {module.name for module in pkgutil.iter_modules(commands.__path__)} == operations.COMMANDS.keys()


def test_operations__admin_actions() -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("root")
    found = {
        f"{model.__name__}.{action}"
        for model in apps.get_app_config("django_messente_dlr").get_models()
        if admin.site.is_registered(model)
        for action in admin.site.get_model_admin(model).get_actions(request)
    }
    assert found | {"MessageStatistics.refresh"} == operations.ADMIN.keys()


def test_operations__buttons_of_pages(site: Site) -> None:
    rows = [operations.failed("+37255500000"), operations.scheduled("+37255500000"), operations.account(None)]
    rows.append(operations.report("+37255500000"))
    pages = [html(site.browser, page_url(row)) for row in rows]
    found = {action for page in pages for action in re.findall(r'name="action"[^>]*value="(\w+)"', page)}
    assert {type(row) for row in rows} == set(MODELS)
    assert {"resend", "cancel", "poll_now", "check_balance", "send_signals_again"} <= found
    assert found <= {name.split(".")[1] for name in operations.ADMIN}
    overview = html(site.browser, reverse("admin:django_messente_dlr_messagestatistics_changelist"))
    assert overview.count('<form method="post"') == 1  # Refresh
