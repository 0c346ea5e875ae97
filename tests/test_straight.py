"""The straight way of an ordinary report: as few statements as can be, and not another result than the long way's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.db import DataError, connection, transaction
from django.db.models.signals import ModelSignal, post_init, post_save, pre_init, pre_save
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_messente_dlr import callbacks, ledger, plans, signals
from django_messente_dlr.ledger import straight
from django_messente_dlr.models import DeliveryReport, PendingReport, SmsMessage
from django_messente_dlr.testing.callbacks import call_back, call_back_omnichannel
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own")
# What the statement of an ordinary report begins with where it is not prepared.
DIRECT = {"postgresql": "WITH", "mysql": "BEGIN"}.get(connection.vendor, "")

POST = {
    "message_id": "an-id",
    "omnimessage_id": "an-omni-id",
    "status": "DELIVRD",
    "err": 0,
    "channel": "viber",
    "timestamp": "2024-05-06T07:08:09.123456",
    "price_info": {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"},
}


@pytest.fixture
def message() -> SmsMessage:
    # The process notes once a minute that it was called and by which key, which is not to be counted here.
    call_back(SmsMessageFactory.create())
    call_back_omnichannel({"message_id": "a-stranger", "status": "ACK"})
    return SmsMessageFactory.create(sms_unique_id="an-id")


def by_message(message: SmsMessage, stat: str = "DELIVRD", err: str = "") -> None:
    assert call_back(message, stat, err).status_code == 200


def by_account(message: SmsMessage) -> None:
    path = callbacks.callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD", "err": ""}).status_code == 200


def by_post(message: SmsMessage) -> None:
    assert call_back_omnichannel(POST).status_code == 200


def statements_of(call: Callable[[], None]) -> list[str]:
    """What a call sends to the database, by the first words alone; BEGIN and COMMIT are not told everywhere alike."""
    with CaptureQueriesContext(connection) as captured:
        call()
    said = [query["sql"].replace("EXECUTE messente_dlr", "WITH") for query in captured.captured_queries]
    words = [sql.replace("BEGIN NOT ATOMIC", "BLOCK").split()[0] for sql in said]
    return [word for word in words if word not in {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK"}]


# With receivers, the message is told with what is written.
ONE = {"postgresql": ["WITH"], "mysql": ["BLOCK"]}
ENDED = ONE.get(connection.vendor, ["UPDATE", "DELETE", "INSERT"])
WRITTEN = ONE.get(connection.vendor, ["UPDATE", "INSERT"])


@pytest.mark.parametrize("call", [by_message, by_account, by_post])
class TestTheNumberOfStatements:
    def test_without_receivers_nothing_is_read(self, message: SmsMessage, call: Callable[[SmsMessage], None]) -> None:
        assert statements_of(lambda: call(message)) == ENDED
        assert message.reports.get().dispatched_at is not None

    def test_with_receivers_nothing_is_read_twice(
        self, message: SmsMessage, call: Callable[[SmsMessage], None], dlr_signals: SignalLog
    ) -> None:
        assert statements_of(lambda: call(message)) == [*ENDED, "UPDATE"]
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]


@pytest.mark.parametrize(
    ("stat", "err"), [("DELIVRD", "0"), ("UNDELIV", "1"), ("FAILED", "999"), ("REJECTD", "7"), ("EXPIRED", "")]
)
def test_every_end_of_a_message_goes_the_straight_way(message: SmsMessage, stat: str, err: str) -> None:
    assert statements_of(lambda: by_message(message, stat, err)) == ENDED


def test_what_is_seen_after_its_delivery_goes_the_straight_way(message: SmsMessage) -> None:
    by_message(message)
    assert statements_of(lambda: by_message(message, "SEEN", "10")) == WRITTEN
    message.refresh_from_db()
    assert message.status == "seen"


def test_a_receiver_of_another_signal_is_none(message: SmsMessage) -> None:
    def receiver(**kwargs: Any) -> None: ...

    signals.dlr_failed.connect(receiver)
    assert statements_of(lambda: by_message(message)) == ENDED


def rows(message: SmsMessage) -> tuple[dict[str, Any], bool, list[dict[str, Any]]]:
    """What is written about a message, whether more is waited for, and its reports, as far as two can be the same."""
    own = {"id", "sms_unique_id", "recipient", "created_at", "sent_at", "finalised_at", "message_id"}
    own |= {"received_at", "dispatched_at", "fingerprint", "payload", "dispatch_due_at"}
    told = SmsMessage.objects.filter(pk=message.pk).values().get()
    return (
        {name: value if name not in own else value is None for name, value in told.items()},
        PendingReport.objects.filter(pk=message.pk).exists(),
        [
            {name: value if name not in own else value is None for name, value in report.items()}
            for report in message.reports.order_by("pk").values()
        ],
    )


REPORTS: list[Callable[[SmsMessage], Any]] = [
    lambda message: call_back(message, "DELIVRD", "000"),
    lambda message: call_back(message, "UNDELIV", "1"),
    lambda message: call_back(message, "REJECTD", "7"),
    lambda message: call_back(message, "REJECTD", "4"),
    lambda message: call_back(message, "ACCEPTD"),
    lambda message: call_back(message, "PONDERD", "x"),
    lambda message: call_back(message, "SEEN", "10"),
    lambda message: [call_back(message, stat) for stat in ("FAILED", "DELIVRD", "DELIVRD", "SEEN", "UNDELIV")],
    lambda message: call_back_omnichannel({**POST, "message_id": message.sms_unique_id}),
    lambda message: call_back_omnichannel(
        {**POST, "message_id": message.sms_unique_id, "status": "FAILED", "err": 6}
    ),
]


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("priced", [{}, {"price": "0.1", "parts": 1}])
def test_every_way_ends_with_the_same_rows(
    report: Callable[[SmsMessage], Any], priced: dict[str, Any], request: pytest.FixtureRequest, *, heard: bool
) -> None:
    if heard:
        request.getfixturevalue("dlr_signals")
    ours, other = SmsMessageFactory.create(**priced), SmsMessageFactory.create(**priced)
    report(ours)
    AccountFactory.create(credits_exhausted_at=None)  # the second outage is to begin like the first
    request.getfixturevalue("long_way")
    report(other)
    assert rows(ours) == rows(other)


@pytest.mark.parametrize("call", [by_message, by_post])
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"text": '«it\'s» "100 %s" \\ \t\x01\x1f\x7f\u2028 😀', "recipient": "+37255500001"},
        {"metadata": {"order": 17, "of": [0.1, None, True, '"\n😀'], "deep": json.loads("[" * 20 + "]" * 20)}},
        {"price": "12345678.000001", "parts": 1},
        {"metadata": ["not", "an object"], "error_text": "null", "sender": "[]"},
    ],
)
def test_receivers_get_the_rows_as_they_are(
    message: SmsMessage, told: dict[str, Any], call: Callable[[SmsMessage], None]
) -> None:
    seen: list[bool] = []
    SmsMessage.objects.filter(pk=message.pk).update(**told)

    def receiver(message: SmsMessage, report: DeliveryReport, **kwargs: Any) -> None:
        for row in (message, report):
            stored = type(row)._default_manager.get(pk=row.pk)
            fields = [field.attname for field in row._meta.concrete_fields]
            values = [(getattr(row, name), getattr(stored, name)) for name in fields]
            seen.append(all(given == read and type(given) is type(read) for given, read in values))
            # Some of what Django knows of a row is made where it is asked for.
            known = {name: getattr(row._state, name) for name in vars(stored._state)}
            seen.append({**known, "fields_cache": {}} == {**vars(stored._state), "fields_cache": {}})
            seen.append(set(vars(row)) == set(vars(stored)))

    signals.dlr_delivered.connect(receiver)
    call(message)
    assert seen == [True] * 6


def test_each_report_that_receivers_get_has_its_own_message(message: SmsMessage, dlr_signals: SignalLog) -> None:
    messages = [message, *SmsMessageFactory.create_batch(2)]
    for each in messages:
        by_message(each)
    told = [arguments for name, arguments in dlr_signals if name == "dlr_delivered"]
    assert [arguments["report"].message for arguments in told] == messages
    assert [arguments["message"] for arguments in told] == messages


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_a_project_that_listens_to_messages_being_made_is_told_of_those_that_receivers_get(
    message: SmsMessage, dlr_signals: SignalLog, signal: ModelSignal
) -> None:
    made: list[type] = []

    def listener(sender: type, **kwargs: Any) -> None:
        made.append(sender)

    signal.connect(listener, sender=SmsMessage)
    by_message(message)
    assert made == [SmsMessage]
    assert dlr_signals.arguments("dlr_delivered")["message"] == message


class TestTheLongWayIsTaken:
    def test_by_a_report_that_ends_a_hold(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        AccountFactory.create(credits_exhausted_at=message.created_at.replace(year=2020))
        by_message(message)
        assert dlr_signals.names[-1] == "credits_restored"

    def test_by_a_report_that_tells_less_than_is_known(self, message: SmsMessage) -> None:
        SmsMessage.objects.filter(pk=message.pk).update(price="9.5")
        by_post(message)
        message.refresh_from_db()
        assert (message.status, str(message.price), message.parts) == ("delivered", "9.500000", 2)

    @pytest.mark.parametrize("signal", [pre_init, post_init, pre_save, post_save])
    def test_where_the_project_listens_to_the_rows_themselves(self, message: SmsMessage, signal: ModelSignal) -> None:
        heard: list[type] = []

        def receiver(sender: type, **kwargs: Any) -> None:
            heard.append(sender)

        signal.connect(receiver, sender=DeliveryReport)
        by_message(message)
        assert heard == [DeliveryReport]

    def test_where_messages_live_in_another_database(self, message: SmsMessage, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [Elsewhere()]
        assert straight._database() is None

    def test_where_the_project_commits_by_itself(self, message: SmsMessage) -> None:
        connection.set_autocommit(False)
        try:
            assert straight._database() is None
        finally:
            connection.rollback()
            connection.set_autocommit(True)


class Elsewhere:
    """A router that keeps messages apart from their reports."""

    def db_for_write(self, model: type[Any], **hints: Any) -> str | None:
        return "elsewhere" if model is SmsMessage else None


def test_inside_a_transaction_signals_wait_for_its_end(message: SmsMessage, dlr_signals: SignalLog) -> None:
    with transaction.atomic():
        by_message(message)
        SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})
        assert dlr_signals == []
    assert dlr_signals.arguments("dlr_delivered")["message"].metadata == {"order": 18}


def test_a_transaction_that_fails_takes_the_report_along(message: SmsMessage, dlr_signals: SignalLog) -> None:
    with transaction.atomic():
        by_message(message)
        transaction.set_rollback(True)
    message.refresh_from_db()
    assert (message.status, message.reports.count(), dlr_signals) == ("sent", 0, [])


def test_a_report_that_is_there_already_does_not_break_the_transaction_around_it(message: SmsMessage) -> None:
    by_message(message)
    SmsMessage.objects.filter(pk=message.pk).update(status="sent", rank=1)
    with transaction.atomic():
        by_message(message)
        assert message.reports.get().receipts == 2


@pytest.fixture
def _often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql" and not getattr(connection, "mysql_is_mariadb", False):
        pytest.skip("PostgreSQL and MariaDB alone keep statements for us.")
    monkeypatch.setattr(plans, "USES_BEFORE_PREPARING", 0)


@pytest.mark.usefixtures("_often_enough")
class TestStatementsThatTheServerKeeps:
    @pytest.fixture(autouse=True)
    def _without_plans(self, message: SmsMessage) -> Iterator[None]:
        connection.close()
        yield
        connection.close()

    def statements(self, message: SmsMessage) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            by_message(message)
        return [query["sql"] for query in captured.captured_queries]

    def words(self, message: SmsMessage) -> list[str]:
        return [statement.split()[0] for statement in self.statements(message)]

    def test_a_statement_is_prepared_once(self) -> None:
        told = [self.words(SmsMessageFactory.create()) for _ in range(3)]
        assert told == [["PREPARE", "EXECUTE"], ["EXECUTE"], ["EXECUTE"]]

    @postgresql
    def test_what_is_told_twice_is_given_once(self) -> None:
        said = "a word"
        values = [said, 7, said, 7.5]
        statement = plans.Statement.of(
            connection.vendor, "SELECT %s, %s, %s, %s", ["text", "int", "text", "float"], plans.alike(values)
        )
        assert statement.execute.endswith("(%s, %s, %s)")
        for _ in range(2):
            assert plans.execute(connection, statement, values).first == ("a word", 7, "a word", 7.5)

    @postgresql
    def test_what_is_the_same_as_two_types_is_given_twice(self) -> None:
        statement = plans.Statement.of(connection.vendor, "SELECT %s, %s", ["text", "varchar"], [0, 0])
        assert statement.execute.endswith("(%s, %s)")

    def test_a_plan_is_made_anew_now_and_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "USES_OF_A_PLAN", 2)
        told = [self.words(SmsMessageFactory.create()) for _ in range(4)]
        assert told == [["PREPARE", "EXECUTE"], ["EXECUTE"], ["DEALLOCATE", "PREPARE", "EXECUTE"], ["EXECUTE"]]

    def test_a_plan_for_a_table_that_was_empty_is_made_anew_sooner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "EARLY", {1, 3})
        told = [self.words(SmsMessageFactory.create()) for _ in range(5)]
        anew = ["DEALLOCATE", "PREPARE", "EXECUTE"]
        assert told == [["PREPARE", "EXECUTE"], anew, ["EXECUTE"], anew, ["EXECUTE"]]

    def test_a_report_that_comes_again_is_counted(self, message: SmsMessage) -> None:
        for _ in range(3):
            self.words(message)
        assert message.reports.get().receipts == 3

    def test_a_server_that_has_forgotten_it_is_not_asked_again(self) -> None:
        name = self.statements(SmsMessageFactory.create())[-1].split()[1]
        with connection.cursor() as cursor:
            cursor.execute(f"DEALLOCATE PREPARE {name}")
        messages = [SmsMessageFactory.create() for _ in range(2)]
        told = [self.words(message) for message in messages]
        assert [(len(words), words[-1]) for words in told] == [(2, DIRECT), (1, DIRECT)]
        assert {message.reports.get().outcome for message in messages} == {"advanced"}

    @postgresql
    def test_another_trouble_is_told(self) -> None:
        statement = plans.Statement.of(connection.vendor, "SELECT 1 / %s", ["integer"], [0])
        with pytest.raises(DataError, match="division by zero"):
            plans.execute(connection, statement, [0])

    @postgresql
    def test_a_name_that_somebody_else_has_prepared_is_not_used(self) -> None:
        statement = plans.Statement.of(connection.vendor, "SELECT %s", ["integer"], [0])
        with connection.cursor() as cursor:
            cursor.execute(statement.prepare)  # as behind a pooler, which hands on what others have prepared
        for _ in range(2):
            assert plans.execute(connection, statement, [7]).first == (7,)
        with CaptureQueriesContext(connection) as captured:
            plans.execute(connection, statement, [7])
        assert [query["sql"].split()[0] for query in captured.captured_queries] == ["SELECT"]

    @postgresql
    def test_a_table_that_has_changed_under_the_plan_is_read_without_it(self) -> None:
        statement = plans.Statement.of(connection.vendor, "SELECT * FROM changing WHERE a > %s", ["integer"], [0])
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE changing (a integer)")
            assert plans.execute(connection, statement, [0]) == (0, None)
            cursor.execute("ALTER TABLE changing ADD COLUMN b integer")
            cursor.execute("INSERT INTO changing VALUES (1, 2)")
            assert plans.execute(connection, statement, [0]) == (1, (1, 2))

    @postgresql
    def test_among_reports_that_are_written_again_where_they_fail_the_plan_is_used(self) -> None:
        with ledger.together(connection.alias):
            told = [self.words(SmsMessageFactory.create()) for _ in range(2)]
        assert told == [["PREPARE", "EXECUTE"], ["EXECUTE"]]

    @postgresql
    def test_where_the_server_binds_parameters_reports_are_written_and_their_signals_sent_once(
        self, dlr_signals: SignalLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = {**connection.settings_dict["OPTIONS"], "server_side_binding": True}
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        for _ in range(3):
            message = SmsMessageFactory.create()
            assert self.words(message)[0] == DIRECT
            assert message.reports.get().dispatched_at is not None
        assert dlr_signals.names.count("dlr_delivered") == 3

    @postgresql
    @pytest.mark.skipif(not find_spec("psycopg"), reason="psycopg2 binds no parameters in the server")
    def test_a_plan_that_the_driver_cannot_use_is_not_used_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "_may_prepare", lambda connection: True)
        options = {**connection.settings_dict["OPTIONS"], "server_side_binding": True}
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        told = [self.words(SmsMessageFactory.create()) for _ in range(2)]
        assert told == [["PREPARE", "EXECUTE", DIRECT], [DIRECT]]

    @pytest.mark.parametrize("where", ["transaction", "pooler"])
    def test_nothing_is_prepared_in_a_transaction_or_behind_a_pooler(
        self, where: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = SmsMessageFactory.create()
        if where == "pooler":
            monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
            assert self.words(message) == [DIRECT]
            return
        with transaction.atomic():
            assert "PREPARE" not in self.words(message)
