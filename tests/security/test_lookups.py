"""A user without view_recipient or view_text gets the same responses whatever the recipients and the texts are.

Each test sends the same requests for two states of the database. They differ only in the recipients, the texts
and what contains these, such as payloads. The last three digits of the recipients are not masked and therefore equal.
A response that differs would let the user find out a masked value.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection, models
from django.test import Client
from shop.models import Order

from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.security.lookup_requests import (
    API,
    FILTERS,
    FIRST,
    LISTED,
    MASKED,
    SECOND,
    Rows,
    Send,
    Values,
    admin_requests,
    all_requests,
    api_requests,
    export_requests,
    filter_values,
    get,
    list_url,
    page_requests,
    parameters,
)
from tests.unit.admin import pages

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.security.urls"),
    # The responses are compared with each other, which takes a minute; two databases are enough.
    pytest.mark.skipif(connection.vendor == "mysql", reason="runs on SQLite and PostgreSQL"),
]

# What a user without view_recipient and view_text may have.
VIEW = ("view_smsmessage", "view_deliveryreport", "view_account", "view_messagestatistics")
EVERYTHING_ELSE = (*VIEW, "export_smsmessage", "change_smsmessage", "change_deliveryreport", "change_account")
# What differs between two responses to one user, whatever is in the database.
RANDOM = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"')
MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
Response = tuple[int, str, str]
log_in = partial(pages.log_in, raise_request_exception=False)


class SharedUser(ModelBackend):
    """Read each user and its permissions once in a test, which takes half of the time of a request."""

    users: dict[int, User | None] = {}

    def get_user(self, user_id: int) -> User | None:
        if user_id not in self.users:
            self.users[user_id] = super().get_user(user_id)
        return self.users[user_id]


@pytest.fixture(autouse=True)
def _cheap_requests(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Save in thousands of requests what no masked value changes: queries for sessions and users, logged refusals."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.SharedUser"]
    SharedUser.users.clear()
    caplog.set_level(logging.CRITICAL, "django")


@pytest.fixture(autouse=True)
def rows() -> Rows:
    """Create the rows of every list; ``write`` gives them their masked values."""
    failed = {"status": Status.FAILED, "created_at": MOMENT, "sent_at": MOMENT, "finalised_at": MOMENT}
    messages = SmsMessageFactory.create_batch(2, **failed)
    reports = [DeliveryReportFactory.create(message=message, received_at=MOMENT) for message in messages]
    orders = [Order.objects.create(message=message, phone="-") for message in messages]
    accounts = [AccountFactory.create(name="marketing")]
    return {"smsmessage": messages, "deliveryreport": reports, "account": accounts, "order": orders}


def write(values: Values) -> None:
    messages = SmsMessage.objects.order_by("pk")
    for message, (number, text) in zip(messages, values, strict=True):
        SmsMessage.objects.filter(pk=message.pk).update(
            recipient=number,
            text=text,
            error_text=f"{number} is no number",
            metadata={"phone": number},
            reference=f"order of {number}",
            channels=[{"channel": "viber", "text": text, "extra": number, "message_id": f"id-{message.pk}"}],
        )
        DeliveryReport.objects.filter(message=message).update(
            payload={"to": number}, dispatch_error=f"KeyError: '{number}'"
        )


def read(client: Client, send: Send) -> Response:
    response = send(client)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return response.status_code, response.get("Location", ""), RANDOM.sub("", content.decode())


def differing(client: Client, requests: dict[str, Send], second: Values = SECOND) -> list[str]:
    """Return the names of the requests whose responses depend on masked values, or that fail."""
    write(FIRST)
    before = {name: read(client, send) for name, send in requests.items()}
    write(second)
    return [name for name, send in requests.items() if before[name][0] >= 500 or read(client, send) != before[name]]


SETS = {
    "everything else": (*EVERYTHING_ELSE, "view_order", "change_order", "delete_order"),
    "messages": ("view_smsmessage", "export_smsmessage"),
    "reports and orders": ("view_deliveryreport", "view_order"),
    "accounts and statistics": ("view_account", "view_messagestatistics"),
}


@pytest.mark.parametrize("codenames", SETS.values(), ids=SETS)
def test_responses__independent_of_masked_values(rows: Rows, codenames: tuple[str, ...]) -> None:
    requests = all_requests(rows)
    assert len(requests) > 300
    assert differing(log_in(*codenames), requests) == []


@pytest.mark.parametrize("visible", ["view_recipient", "view_text"])
def test_responses__independent_of_the_other_masked_value(rows: Rows, visible: str) -> None:
    """With one of the two permissions the user learns nothing about the other value."""
    second = [
        (old[0], new[1]) if visible == "view_recipient" else (new[0], old[1])
        for old, new in zip(FIRST, SECOND, strict=True)
    ]
    requests = page_requests(rows) | export_requests(rows) | api_requests()
    requests |= admin_requests(parameters(SmsMessage, depth=1), "smsmessage")
    assert differing(log_in(*EVERYTHING_ELSE, "view_order", visible), requests, second) == []


def test_responses__differ_with_the_permissions(rows: Rows) -> None:
    """The comparison is able to find a difference: in lists, pages, exports and the REST API."""
    client = log_in(*EVERYTHING_ELSE, "view_recipient", "view_text")
    for requests in (page_requests(rows), export_requests(rows), api_requests()):
        assert differing(client, requests)
    assert differing(client, dict([get(list_url("smsmessage"))]))


@pytest.mark.parametrize("model", [model for model in LISTED if model.__name__.lower() in FILTERS])
def test_lists__accept_their_own_filters_only(model: type[models.Model]) -> None:
    write(FIRST)
    name = model.__name__.lower()
    client = log_in(*VIEW, "view_recipient", "view_text")
    for parameter, value in parameters(model):
        status = client.get(list_url(name), {parameter: value}).status_code
        assert status in ({200, 302} if parameter in FILTERS[name] else {400}), parameter
    for parameter, value in filter_values(model):
        assert client.get(list_url(name), {parameter: value}).status_code in {200, 302}


def test_lists__every_list_is_compared() -> None:
    assert {model.__name__.lower() for model in LISTED} == {*FILTERS, "messagestatistics"}
    assert {field.name for model in (SmsMessage, DeliveryReport, Account) for field in model._meta.fields} > MASKED


@pytest.mark.parametrize(
    "query",
    ["message__recipient__startswith=%2B372", "message__text__startswith=A", "message__reports__payload__to=1"],
)
def test_project_list__refuses_related_fields(query: str) -> None:
    """The admin of a project with a ForeignKey to SmsMessage allows no lookups on its fields."""
    write(FIRST)
    assert log_in("view_order").get(f"{list_url('order')}?{query}").status_code == 400


def test_search__complete_reference_without_permission(rows: Rows) -> None:
    write(FIRST)
    term = "order of +37255511001"
    client = log_in("view_smsmessage")
    found = client.get(list_url("smsmessage"), {"q": term}).context["cl"].result_list
    assert list(found) == rows["smsmessage"][:1]
    assert [row["id"] for row in client.get(API, {"reference": term}).json()["results"]] == [found[0].pk]


@pytest.mark.parametrize("term", ["+37255511001", "0037255511001", "372 555 11001"])
def test_search__complete_number_without_permission(rows: Rows, term: str) -> None:
    """Support staff may search for a number that they know: SECURITY.md states this."""
    write(FIRST)
    client = log_in("view_smsmessage")
    found = client.get(list_url("smsmessage"), {"q": term}).context["cl"].result_list
    assert list(found) == rows["smsmessage"][:1]
    assert [row["id"] for row in client.get(API, {"recipient": term}).json()["results"]] == [found[0].pk]
