"""The REST API: its permissions, filters and pages. It changes nothing."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.unit.api.urls")]
URL = "/api/messente/messages/"


def create_client(*, superuser: bool = False, permission: str = "") -> APIClient:
    user = User.objects.create_user("reader", is_superuser=superuser)
    if permission:
        user.user_permissions.add(Permission.objects.get(codename=permission))
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def reader() -> APIClient:
    return create_client(permission="view_smsmessage")


def ids(response: Any) -> list[int]:
    """Return the primary keys of the messages in a list."""
    assert response.status_code == 200, response.content
    return [message["id"] for message in response.json()["results"]]


@pytest.mark.parametrize("url", [URL, URL.rstrip("/")])
def test_list__newest_first_with_reports(reader: APIClient, url: str) -> None:
    old = SmsMessageFactory.create(status=Status.REJECTED, err=7, text="secret")
    DeliveryReportFactory.create(message=old, stat="REJECTD", status=Status.REJECTED, err=7)
    new = SmsMessageFactory.create()
    response = reader.get(url)
    assert ids(response) == [new.pk, old.pk]
    message = response.json()["results"][1]
    assert message["cause"]["code"] == 7
    assert message["cause"]["name"] == "sender_not_allowed"
    assert message["cause"]["advice"]
    assert [report["stat"] for report in message["reports"]] == ["REJECTD"]
    assert "secret" not in response.content.decode()
    assert "callback_url" not in message
    assert response.json()["results"][0]["cause"] is None


@pytest.mark.parametrize("slash", ["/", ""])
def test_detail__payloads_of_reports(reader: APIClient, slash: str) -> None:
    report = DeliveryReportFactory.create(payload={"stat": "DELIVRD", "a": "b"})
    response = reader.get(f"{URL}{report.message_id}{slash}")
    assert response.status_code == 200
    assert response.json()["reports"][0]["payload"] == {"stat": "DELIVRD", "a": "b"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", 'Messente answered "ERROR 111". The sender name is not activated'),
        ("de", "Messente hat mit „ERROR 111“ geantwortet. Der Absendername"),
    ],
)
def test_error_text__is_in_the_active_language(reader: APIClient, settings: Any, language: str, text: str) -> None:
    settings.LANGUAGE_CODE = language
    message = SmsMessageFactory.create(status=Status.REJECTED, error_text="ERROR 111")
    SmsMessageFactory.create(status=Status.REJECTED, error_text="Unknown subscriber")
    first, second = reader.get(URL).json()["results"]
    assert (first["error_text"], second["id"]) == ("Unknown subscriber", message.pk)
    assert second["error_text"].startswith(text)


@pytest.mark.parametrize("path", ["", "one"])
def test_recipients__masked_without_permission(path: str) -> None:
    message = SmsMessageFactory.create(
        recipient="+37255500001", metadata={"phone": "0037255500001"}, error_text="37255500001 is no number"
    )
    DeliveryReportFactory.create(message=message, payload={"to": "+37255500001"})
    url = f"{URL}{message.pk}/" if path else URL
    reader = create_client(permission="view_smsmessage")
    content = reader.get(url).content.decode()
    assert "55500001" not in content
    assert "+372•••••001" in content
    user = User.objects.get()
    user.user_permissions.add(Permission.objects.get(codename="view_recipient"))
    reader.force_login(User.objects.get())
    content = reader.get(url).content.decode()
    assert '"recipient":"+37255500001"' in content
    assert "•" not in content


def test_detail__unknown_message(reader: APIClient) -> None:
    assert reader.get(f"{URL}1/").status_code == 404


@pytest.mark.parametrize("count", [1, 20])
def test_list__constant_number_of_queries(
    reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for report in DeliveryReportFactory.create_batch(count):
        DeliveryReportFactory.create(message=report.message)
    with django_assert_num_queries(6):  # session, user, its permissions twice, messages, reports
        assert len(ids(reader.get(URL))) == count


def test_list__pages(reader: APIClient) -> None:
    messages = SmsMessageFactory.create_batch(5)
    seen: list[int] = []
    url: str | None = f"{URL}?page_size=2"
    while url:
        page = reader.get(url)
        seen += ids(page)
        url = page.json()["next"]
    assert seen == [message.pk for message in reversed(messages)]


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("status=rejected", True),
        ("status=rejected&status=failed", True),
        ("status=delivered", False),
        ("cause=7", True),
        ("cause=sender_not_allowed", True),
        ("cause=SENDER_NOT_ALLOWED", True),
        ("cause=4", False),
        ("account=default", True),
        ("account=marketing", False),
        ("channel=sms", True),
        ("channel=viber", False),
        ("recipient=%2B37255500000", True),
        ("recipient=+37255500000", True),  # a + in a query string is a space
        ("recipient=37255500000", True),
        ("recipient=00372%205550%200000", True),
        ("recipient=%2B372555", False),
        ("recipient=", True),
        ("sms_unique_id=an-id", True),
        ("sms_unique_id=another", False),
        ("omnimessage_id=an-omni-id", True),
        ("created_after=2026-01-02T00:00:00Z", True),
        ("created_after=2026-01-02T00:00:01Z", False),
        ("created_before=2026-01-02T00:00:00Z", False),
        ("created_before=2026-01-02T00:00:01Z", True),
        ("pending=false", True),
        ("pending=true", False),
        ("pending=False", True),
        ("pending=", True),
    ],
)
def test_filters__valid_value(reader: APIClient, query: str, *, matches: bool) -> None:
    message = SmsMessageFactory.create(
        sms_unique_id="an-id",
        omnimessage_id="an-omni-id",
        recipient="+37255500000",
        status=Status.REJECTED,
        err=7,
        created_at="2026-01-02T00:00:00Z",
        finalised_at=None,
        next_poll_at=None,
    )
    assert ids(reader.get(f"{URL}?{query}")) == ([message.pk] if matches else [])


@pytest.mark.parametrize("code", list(ErrorCode))
def test_filters__every_cause_by_name(reader: APIClient, code: ErrorCode) -> None:
    message = SmsMessageFactory.create(err=code.value)
    SmsMessageFactory.create(err=None)
    assert ids(reader.get(URL, {"cause": code.name.lower()})) == [message.pk]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("cause=bad_luck", '"bad_luck" is not a cause'),
        ("cause=%D9%A4", "is not a cause"),
        ("cause=100%25", '"100%" is not a cause'),
        ("recipient=%25s", '"%s" is not a phone number'),
        ("pending=%25y", '"%y" is neither'),
        ("cause=99999999999", "is not a cause"),
        ("status=lost", "lost"),
        ("recipient=shop", '"shop" is not a phone number'),
        ("pending=1", '"1" is neither "true" nor "false"'),
        ("created_after=soon", "valid"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "valid"),  # before the year 1 in UTC
        ("created_before=9999-12-31T23:59:59-14:00", "valid"),
    ],
)
def test_filters__invalid_value(reader: APIClient, query: str, error: str) -> None:
    response: Any = reader.get(f"{URL}?{query}")
    assert response.status_code == 400
    assert error in str(response.json())


@pytest.mark.parametrize(
    "query", ["statsu=failed", "ordering=recipient", "search=372", "recipient__startswith=%2B372"]
)
@pytest.mark.parametrize("path", ["", "one"])
def test_filters__unknown_parameter(reader: APIClient, query: str, path: str) -> None:
    message = SmsMessageFactory.create()
    response: Any = reader.get(f"{URL}{message.pk}/?{query}" if path else f"{URL}?{query}")
    assert response.status_code == 400
    name = query.partition("=")[0]
    text = (
        "This parameter is unknown. Use one of: status, cause, account, channel, recipient, sms_unique_id, "
        "omnimessage_id, reference, resend_of, created_after, created_before, pending, cursor, page_size, format."
    )
    assert response.json() == {name: [text]}


def test_filters__all_unknown_parameters_named(reader: APIClient) -> None:
    response: Any = reader.get(f"{URL}?statsu=failed&status=failed&acount=default")
    assert response.status_code == 400
    assert set(response.json()) == {"acount", "statsu"}


def test_filters__parameters_of_pages_and_format(reader: APIClient) -> None:
    message = SmsMessageFactory.create()
    assert ids(reader.get(f"{URL}?page_size=5&cursor=&format=json&account=default")) == [message.pk]
    assert reader.get(f"{URL}{message.pk}/?format=json").status_code == 200


@pytest.mark.parametrize("name", ["account", "channel", "recipient", "sms_unique_id", "omnimessage_id", "cause"])
def test_filters__nul_character(reader: APIClient, name: str) -> None:
    assert reader.get(f"{URL}?{name}=%00").status_code == 400


@pytest.mark.parametrize("position", ["abc", "\0", "-1", "1" * 19, "٤", "1.5"])
def test_list__forged_cursor(reader: APIClient, position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()
    assert reader.get(URL, {"cursor": cursor}).status_code == 404


@pytest.mark.parametrize("zone", ["-17:53", "%2B23:59", "Z", ""])
def test_filters__time_zones(reader: APIClient, zone: str) -> None:
    message = SmsMessageFactory.create()
    assert ids(reader.get(f"{URL}?created_before=4846-03-09T06:57:02{zone}")) == [message.pk]


@pytest.mark.parametrize("time", ["2024-05-06T07:08:08Z", "2024-05-06T10:08:08%2B03:00", "2024-05-06T10:08:08"])
def test_filters__times_without_use_tz(reader: APIClient, settings: Any, time: str) -> None:
    settings.USE_TZ = False  # and TIME_ZONE is Europe/Tallinn, three hours ahead in summer
    message = SmsMessageFactory.create(created_at=datetime(2024, 5, 6, 10, 8, 8))  # noqa: DTZ001
    with timezone.override("America/New_York"):  # as a middleware of the project may do
        assert ids(reader.get(f"{URL}?created_after={time}")) == [message.pk]
        assert ids(reader.get(f"{URL}?created_before={time}")) == []


PERMISSIVE = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_PAGINATION_CLASS": None,
}


@pytest.mark.parametrize("rest_framework", [{}, PERMISSIVE])
@pytest.mark.parametrize("path", [URL, f"{URL}1/"])
def test_permissions__without_view_permission(settings: Any, path: str, rest_framework: dict[str, Any]) -> None:
    settings.REST_FRAMEWORK = rest_framework
    SmsMessageFactory.create(pk=1)
    assert APIClient().get(path).status_code in {401, 403}
    assert create_client().get(path).status_code == 403


def test_permissions__change_permission_only() -> None:
    assert create_client(permission="change_smsmessage").get(URL).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_permissions__no_changes_by_superuser(method: str) -> None:
    message = SmsMessageFactory.create()
    client = create_client(superuser=True)
    for path in (URL, f"{URL}{message.pk}/"):
        assert getattr(client, method)(path, {"status": "delivered"}, format="json").status_code == 405
    assert SmsMessage.objects.get().status == Status.SENT


def test_schema__without_warnings(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.openapi import AutoSchema

    from django_messente_dlr.api.views import MessageViewSet

    GENERATOR_STATS.reset()
    original = MessageViewSet.schema
    MessageViewSet.schema = AutoSchema()
    try:
        generator: Any = SchemaGenerator
        schema = generator(urlconf="tests.unit.api.urls").get_schema(public=True)
    finally:
        MessageViewSet.schema = original
    assert not GENERATOR_STATS, capsys.readouterr().err
    # The names are specific to the app, so that they do not collide with a component of the project.
    components = {name for name in schema["components"]["schemas"] if not name.endswith("Enum")}
    expected = ("DeliveryReport", "DeliveryReportDetail", "SmsCause", "SmsMessage", "SmsMessageDetail")
    assert components == {*expected, "PaginatedSmsMessageList"}
    listing = next(operations["get"] for path, operations in schema["paths"].items() if "{id}" not in path)
    assert {"status", "cause", "pending"} <= {parameter["name"] for parameter in listing["parameters"]}
