"""Backends and tracers that wrap Django's cursors see and shape every statement, however many reports came before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="uses PostgreSQL's schemas and policies")
# More than any driver waits for before it prepares a statement, psycopg's 5 for one.
REPORTS = 8
TABLES = [model._meta.db_table for model in (SmsMessage, PendingPoll, DeliveryReport, Account)]


@pytest.fixture(params=[True, False], ids=["receivers", "no receivers"], autouse=True)
def _with_and_without_receivers(request: pytest.FixtureRequest) -> None:
    if request.param:
        request.getfixturevalue("dlr_signals")


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Run a statement on every cursor that Django creates, as the backends of multi-tenant projects do."""
    setup = ""
    create_cursor = connection.create_cursor

    def with_setup(name: str | None = None) -> Any:
        cursor = create_cursor(name)
        if setup:
            cursor.execute(setup)
        return cursor

    def change(statement: str) -> None:
        nonlocal setup
        setup = statement

    monkeypatch.setattr(connection, "create_cursor", with_setup)
    yield change
    setup = ""
    connection.close()


@postgresql
def test_row_level_security__applies_to_each_statement(tenant: Callable[[str], None]) -> None:
    messages = [SmsMessageFactory.create(account=("default", "marketing")[n % 2]) for n in range(REPORTS)]
    table = SmsMessage._meta.db_table
    run(
        "CREATE ROLE dlr_tenant",
        f"GRANT ALL ON {', '.join(TABLES)} TO dlr_tenant",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO dlr_tenant",
        f"CREATE POLICY dlr_own ON {table} USING (account = current_setting('dlr.account', true))",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    )
    try:
        run("SET ROLE dlr_tenant")
        for message in messages:
            tenant(f"SELECT set_config('dlr.account', '{message.account}', false)")
            assert simulate_callback(message).status_code == 200
        foreign = SmsMessage(pk=messages[0].pk, account="default", sms_unique_id="an-id")
        tenant("SELECT set_config('dlr.account', 'marketing', false)")
        assert simulate_callback(foreign).status_code == 200
    finally:
        run(
            "RESET ROLE",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
            f"DROP POLICY dlr_own ON {table}",
            "DROP OWNED BY dlr_tenant",
            "DROP ROLE dlr_tenant",
        )
    assert [message.reports.get().outcome for message in messages] == ["advanced"] * REPORTS
    assert DeliveryReport.objects.get(sms_unique_id="an-id").outcome == "orphan"  # its message was not visible


@postgresql
def test_search_path__applies_to_each_statement(tenant: Callable[[str], None]) -> None:
    schemas = ("dlr_one", "dlr_two")
    for schema in schemas:
        run(f"CREATE SCHEMA {schema}", *(f"CREATE TABLE {schema}.{t} (LIKE {t} INCLUDING ALL)" for t in TABLES))
    try:
        for number in range(REPORTS):
            tenant(f"SET search_path = {schemas[number % 2]}")
            assert simulate_callback(SmsMessageFactory.create(sms_unique_id=f"id-{number}")).status_code == 200
        ids = {}
        for schema in schemas:
            tenant(f"SET search_path = {schema}")
            ids[schema] = sorted(
                DeliveryReport.objects.filter(outcome="advanced").values_list("sms_unique_id", flat=True)
            )
        assert ids == {
            "dlr_one": [f"id-{number}" for number in range(0, REPORTS, 2)],
            "dlr_two": [f"id-{number}" for number in range(1, REPORTS, 2)],
        }
    finally:
        tenant("")
        run("RESET search_path", *(f"DROP SCHEMA {schema} CASCADE" for schema in schemas))


class WrappedMethod:
    """A method replaced by a descriptor that is no function, as the package wrapt does it."""

    def __init__(self, method: Callable[..., Any], seen: list[str]) -> None:
        self.method, self.seen = method, seen

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        def execute(sql: str, params: Any = None) -> Any:
            self.seen.append(sql)
            return self.method(instance, sql, params)

        return execute


@contextmanager
def execute_wrapper(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield


@contextmanager
def descriptor(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(CursorWrapper, "execute", WrappedMethod(CursorWrapper.execute, seen))
    yield


@contextmanager
def function(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    execute = CursorWrapper.execute

    def watch(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        seen.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", watch)
    yield


@contextmanager
def cursor_factory(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace the driver's cursor class, as OpenTelemetry's instrumentation of psycopg does."""
    if connection.vendor != "postgresql":
        pytest.skip("psycopg's own option")
    from django.db.backends.postgresql.base import Cursor

    class Traced(Cursor):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            seen.append(str(query))
            return super().execute(query, params, **options)  # type: ignore[misc]

    options = {**connection.settings_dict["OPTIONS"], "cursor_factory": Traced}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    connection.close()
    yield
    connection.close()


@pytest.mark.parametrize("tracer", [execute_wrapper, descriptor, function, cursor_factory])
def test_tracer__sees_the_statement_of_each_report(
    tracer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = SmsMessageFactory.create_batch(REPORTS)
    seen: list[str] = []
    with tracer(seen, monkeypatch):
        answers = [simulate_callback(message).status_code for message in messages]
    assert answers == [200] * REPORTS
    assert sum("INSERT INTO django_messente_dlr_deliveryreport" in sql for sql in seen) == REPORTS


@postgresql
@pytest.mark.parametrize(
    "options", [{"server_side_binding": True}, {"server_side_binding": True, "prepare_threshold": 2}]
)
def test_server_side_binding__records_each_report(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    messages = SmsMessageFactory.create_batch(REPORTS)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {**connection.settings_dict["OPTIONS"], **options})
    connection.close()
    answers = [
        simulate_callback(message, *(("DELIVRD", "0"), ("UNDELIV", "1"))[n % 2]).status_code
        for n, message in enumerate(messages)
    ]
    connection.close()
    assert answers == [200] * REPORTS
    assert [message.reports.get().outcome for message in messages] == ["advanced"] * REPORTS


def test_failing_driver_call__is_answered_200_with_one_row(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Such as a wrapper's error, which would fail each callback with a 503 otherwise."""
    message = SmsMessageFactory.create()
    execute = CursorWrapper.execute

    def fail(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        if sql.startswith(("WITH target AS", "SELECT m.id FROM", "UPDATE django_messente_dlr_smsmessage AS m")):
            raise AttributeError("'FunctionWrapper' object has no attribute '__globals__'")
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", fail)
    assert simulate_callback(message).status_code == 200
    assert message.reports.get().outcome == "advanced"
