"""MariaDB's statements past Django's cursors: what they write and tell, and where the cursors are used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import DataError, IntegrityError, connection, connections
from django.test.utils import CaptureQueriesContext

from django_messente_dlr import mysqlclient, plans
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's own"),
]


def run(sql: str, *values: Any) -> plans.Answer:
    return plans.execute(connections["default"], plans.Statement.of("mysql", sql, (), ()), list(values))


def test_pymysql_is_left_to_its_cursors() -> None:
    own = type("Connection", (), {"__module__": "pymysql.connections"})()
    with mock.patch.object(connections["default"], "connection", own):
        assert not mysqlclient.can_carry_out(connection)


def test_a_connection_that_is_somebody_elses_is_left_to_its_cursors() -> None:
    own = type("Traced", (), {"__module__": "MySQLdb.connections"})()
    with mock.patch.object(connections["default"], "connection", own):
        assert not mysqlclient.can_carry_out(connection)


class TestPastTheCursors:
    @pytest.fixture(autouse=True)
    def executed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[mock.Mock]:
        """What is carried out past them; all is, from the first time on."""
        connection.ensure_connection()
        if type(connection.connection).__module__ != "MySQLdb.connections":
            pytest.skip("mysqlclient's own")
        monkeypatch.setattr(plans, "USES_BEFORE_PREPARING", 0)
        executed = mock.Mock(side_effect=mysqlclient.execute)
        monkeypatch.setattr(mysqlclient, "execute", executed)
        connection.close()
        yield executed
        connection.close()

    def test_a_report_is_written_and_told(self, executed: mock.Mock, dlr_signals: SignalLog) -> None:
        message = SmsMessageFactory.create(recipient="+37255500001", metadata={"order": 17})
        assert call_back(message).status_code == 200
        assert executed.called
        known = SmsMessage.objects.values().get(pk=message.pk)
        told = dlr_signals.arguments("dlr_delivered")["message"]
        assert {name: getattr(told, name) for name in known} == known
        assert known["status"] == "delivered"

    def test_a_report_that_comes_again_is_counted(self, executed: mock.Mock) -> None:
        message = SmsMessageFactory.create()
        for _ in range(3):
            assert call_back(message).status_code == 200
        assert executed.called
        assert message.reports.get().receipts == 3

    def test_values_are_what_they_were(self) -> None:
        said = "«it's», \\ \0 and %s 😀"
        assert run("SELECT %s, %s, %s", 7, Decimal("1234.56"), said) == (1, (7, Decimal("1234.56"), said))

    def test_what_is_told_is_read_as_a_cursor_reads_it(self) -> None:
        sql = "SELECT CAST(%s AS DATETIME(6)), NULL"
        assert run(sql, "2026-11-27 01:02:03.000004").first == (datetime(2026, 11, 27, 1, 2, 3, 4), None)  # noqa: DTZ001

    def test_a_statement_tells_how_many_rows_it_has_written(self) -> None:
        SmsMessageFactory.create_batch(3)
        table = SmsMessage._meta.db_table
        assert run(f"UPDATE {table} SET sender = %s", "Shop") == (3, None)
        assert run(f"SELECT id FROM {table} WHERE sender = %s", "Nobody") == (0, None)

    def test_of_a_block_the_first_result_is_told_and_the_connection_goes_on(self) -> None:
        block = "BEGIN NOT ATOMIC SELECT %s UNION SELECT 2; SELECT 3; DO %s; END"
        assert run(block, 1, 4) == (2, (1,))
        assert run(block, 5, 4) == (2, (5,))

    @pytest.mark.parametrize("before", ["", "SELECT 1; "])
    def test_an_error_is_djangos_own_and_the_connection_goes_on(self, before: str) -> None:
        trouble = "SIGNAL SQLSTATE '22003' SET MYSQL_ERRNO = 1264, MESSAGE_TEXT = 'too much'"
        with pytest.raises(DataError, match="too much"):
            run(f"BEGIN NOT ATOMIC {before}DO %s; {trouble}; END", 1)
        assert run("SELECT %s", 1).first == (1,)

    def test_a_broken_constraint_is_one_of_integrity(self) -> None:
        message = SmsMessageFactory.create()
        with pytest.raises(IntegrityError) as caught:
            run(f"UPDATE {SmsMessage._meta.db_table} SET metadata = %s WHERE id = %s", "not JSON", message.pk)
        assert caught.value.args[0] == 4025

    def test_who_watches_djangos_cursors_sees_every_statement(self, executed: mock.Mock) -> None:
        with CaptureQueriesContext(connection) as captured:
            run("SELECT %s", 1)
        assert [query["sql"].split()[0] for query in captured.captured_queries] == ["PREPARE", "EXECUTE"]
        assert not executed.called
        run("SELECT %s", 1)
        assert executed.called
