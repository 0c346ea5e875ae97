"""PostgreSQL's statements past Django's cursors: what they write and tell, and where the cursors are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.db import DataError, OperationalError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.test.utils import CaptureQueriesContext

from django_messente_dlr import ledger, libpq, plans
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql" or not find_spec("psycopg"), reason="psycopg's own"),
]
ONE = plans.Statement.of("postgresql", "SELECT %s, %s, %s", ["bigint", "numeric(3, 1)", "varchar(2)"], [0, 1, 2])


@pytest.fixture(autouse=True)
def executed(monkeypatch: pytest.MonkeyPatch) -> Iterator[mock.Mock]:
    """What is carried out past the cursors; all is, from the first time on."""
    monkeypatch.setattr(plans, "USES_BEFORE_PREPARING", 0)
    executed = mock.Mock(side_effect=libpq.execute)
    monkeypatch.setattr(libpq, "execute", executed)
    connection.close()
    yield executed
    connection.close()


def run(statement: plans.Statement, *values: Any) -> plans.Answer:
    return plans.execute(connections["default"], statement, list(values))


def test_a_report_is_written_and_told(executed: mock.Mock, dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(recipient="+37255500001", metadata={"order": 17})
    assert call_back(message).status_code == 200
    assert executed.called
    told = dlr_signals.arguments("dlr_delivered")["message"]
    known = SmsMessage.objects.get(pk=message.pk)
    names = [field.attname for field in SmsMessage._meta.concrete_fields]
    assert {name: getattr(told, name) for name in names} == {name: getattr(known, name) for name in names}
    assert known.status == "delivered"


def test_a_report_that_comes_again_is_counted(executed: mock.Mock) -> None:
    message = SmsMessageFactory.create()
    for _ in range(3):
        assert call_back(message).status_code == 200
    assert executed.called
    assert message.reports.get().receipts == 3


def test_values_are_what_they_were_and_are_not_cut() -> None:
    said = "«it's», \\ and %s"
    assert run(ONE, 7, Decimal("1234.56"), said) == (1, (7, Decimal("1234.56"), said))


def test_a_statement_tells_how_many_rows_it_has_written() -> None:
    SmsMessageFactory.create_batch(3)
    table = SmsMessage._meta.db_table
    written = plans.Statement.of("postgresql", f"UPDATE {table} SET sender = %s", ["text"], [0])
    assert run(written, "Shop") == (3, None)
    none = plans.Statement.of("postgresql", f"SELECT id FROM {table} WHERE sender = %s", ["text"], [0])
    assert run(none, "Nobody") == (0, None)


def test_an_error_is_djangos_own_and_the_connection_goes_on() -> None:
    statement = plans.Statement.of("postgresql", "SELECT 1 / %s", ["integer"], [0])
    with pytest.raises(DataError, match="division by zero"):
        run(statement, 0)
    assert run(statement, 1).first == (1,)


def test_what_no_text_can_have_is_refused() -> None:
    with pytest.raises(DataError, match="NUL"):
        run(ONE, 7, 1, "before\0after")


def test_a_server_that_has_hung_up_is_connected_to_again() -> None:
    first, second = SmsMessageFactory.create_batch(2)
    assert call_back(first).status_code == 200
    held: Any = connection.connection
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.connection = held  # as a request finds it whose server was restarted since
    assert call_back(second).status_code == 200
    assert second.reports.count() == 1


def test_a_transaction_under_way_is_gone_on_with(executed: mock.Mock) -> None:
    kept, undone = SmsMessageFactory.create_batch(2), SmsMessageFactory.create_batch(2)
    with ledger.together("default"):
        assert {call_back(message).status_code for message in kept} == {200}
    with ledger.together("default"):
        assert {call_back(message).status_code for message in undone} == {200}
        transaction.set_rollback(True)
    assert executed.call_count == 2
    assert [message.reports.count() for message in (*kept, *undone)] == [1, 1, 0, 0]


def test_a_transaction_is_begun_by_a_cursor() -> None:
    with transaction.atomic():
        assert not libpq.can_carry_out(connection)
        SmsMessage.objects.exists()
        assert libpq.can_carry_out(connection)


def test_in_a_pipeline_nothing_passes_the_cursors_by() -> None:
    connection.ensure_connection()
    own: Any = connection.connection
    assert libpq.can_carry_out(connection)
    with own.pipeline():
        assert not libpq.can_carry_out(connection)


def test_a_connection_that_is_somebody_elses_is_left_to_its_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    own: Any = connection.connection
    monkeypatch.setattr(libpq, "_psycopg", lambda: SimpleNamespace(Connection=type("Traced", (type(own),), {})))
    assert not libpq.can_carry_out(connection)


def test_without_psycopg_nothing_passes_the_cursors_by(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    monkeypatch.setattr(libpq, "_psycopg", lambda: None)
    assert not libpq.can_carry_out(connection)


def test_psycopg_is_none_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libpq, "import_module", mock.Mock(side_effect=ImportError))
    assert libpq._psycopg.__wrapped__() is None


def test_times_are_told_in_the_time_zone_that_django_has_by_now(
    executed: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = plans.Statement.of("postgresql", "SELECT %s", ["timestamp with time zone"], [0])
    moment, own = datetime(2026, 7, 1, 12, tzinfo=UTC), connections["default"]
    assert run(statement, str(moment)).first == (moment,)
    with monkeypatch.context() as patched:
        patched.setitem(own.settings_dict, "TIME_ZONE", "Europe/Tallinn")
        patched.setattr(own, "timezone", ZoneInfo("Europe/Tallinn"))
        patched.setattr(own, "timezone_name", "Europe/Tallinn")
        own.ensure_timezone()
        (told,) = run(statement, str(moment)).first or (None,)
    assert (told, told and told.tzinfo) == (moment, ZoneInfo("Europe/Tallinn"))
    assert executed.call_count == 1


def log(statements: list[str]) -> Callable[..., Any]:
    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    return wrapper


class TestWhoWatchesDjangosCursors:
    @pytest.fixture(autouse=True)
    def _past_them(self, executed: mock.Mock) -> Iterator[None]:
        run(ONE, 7, 1, "a")
        assert executed.call_count == 1
        yield
        assert executed.call_count == 1
        run(ONE, 7, 1, "a")
        assert executed.call_count == 2

    def test_by_a_wrapper_sees_every_statement(self) -> None:
        statements: list[str] = []
        with connection.execute_wrapper(log(statements)):
            run(ONE, 7, 1, "a")
        assert [sql.split()[0] for sql in statements] == ["EXECUTE"]

    def test_by_the_log_of_queries_sees_every_statement(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            run(ONE, 7, 1, "a")
        assert [query["sql"].split()[0] for query in captured.captured_queries] == ["EXECUTE"]

    def test_by_a_cursor_of_its_own_sees_every_statement(self) -> None:
        cursors = mock.Mock(side_effect=connections["default"].cursor)
        with mock.patch.object(connections["default"], "cursor", cursors):
            run(ONE, 7, 1, "a")
        assert cursors.call_count == 1

    def test_by_a_method_in_the_place_of_djangos_sees_every_statement(self) -> None:
        statements: list[str] = []
        real = CursorWrapper.execute

        def execute(self: CursorWrapper, sql: str, params: Any = None) -> Any:
            statements.append(sql)
            return real(self, sql, params)

        execute.__module__ = real.__module__  # as functools.wraps has it
        with mock.patch.object(CursorWrapper, "execute", execute):
            run(ONE, 7, 1, "a")
        assert [sql.split()[0] for sql in statements] == ["EXECUTE"]
