"""The fast path: how many statements a report takes, and that its rows are those of the ORM path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models.signals import ModelSignal, post_init, post_save, pre_init, pre_save
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_messente_dlr import callbacks, receiving, signals
from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import fast_path, sql
from django_messente_dlr.receiving.batch import atomic_batch
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import run_on_other_connection

pytestmark = pytest.mark.django_db(transaction=True)

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
    simulate_callback(SmsMessageFactory.create())
    simulate_omnichannel_callback({"message_id": "a-stranger", "status": "ACK"})
    return SmsMessageFactory.create(sms_unique_id="an-id")


def by_message(message: SmsMessage, stat: str = "DELIVRD", err: str = "") -> None:
    assert simulate_callback(message, stat, err).status_code == 200


def by_account(message: SmsMessage) -> None:
    path = callbacks.callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD", "err": ""}).status_code == 200


def by_post(message: SmsMessage) -> None:
    assert simulate_omnichannel_callback(POST).status_code == 200


# The first word of each statement of a report that ends its message.
EXPECTED = {
    "postgresql": ["WITH"],
    "mysql": ["BEGIN NOT ATOMIC"],
    "sqlite": ["UPDATE", "DELETE", "INSERT"],
}[connection.vendor]
# PostgreSQL returns the message; elsewhere it is read once for all receivers.
WITH_RECEIVERS = [*EXPECTED, *([] if connection.vendor == "postgresql" else ["SELECT"]), "UPDATE"]
# The ORM quotes the names of tables and columns, so that none of its statements begins like this.
FIRST_WORDS = (
    "WITH target AS",
    "BEGIN NOT ATOMIC",
    "SELECT m.id FROM",
    "UPDATE django_messente_dlr_smsmessage AS m",
)
TRANSACTION = {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK"}


def statements_of(call: Callable[[], None]) -> list[str]:
    """Return the first word of each statement of a call, without those of its transaction; all words of a block's."""
    with CaptureQueriesContext(connection) as captured:
        call()
    block = "BEGIN NOT ATOMIC"
    texts = [query["sql"] for query in captured.captured_queries]
    words = [block if text.startswith(block) else text.split()[0] for text in texts]
    return [word for word in words if word not in TRANSACTION]


@pytest.mark.parametrize("call", [by_message, by_account, by_post])
class TestStatements:
    def test_without_receivers__reads_nothing(self, message: SmsMessage, call: Callable[[SmsMessage], None]) -> None:
        assert statements_of(lambda: call(message)) == EXPECTED
        assert message.reports.get().dispatched_at is not None

    def test_with_receivers__reads_nothing_twice(
        self, message: SmsMessage, call: Callable[[SmsMessage], None], dlr_signals: SignalLog
    ) -> None:
        assert statements_of(lambda: call(message)) == WITH_RECEIVERS
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]


@pytest.mark.parametrize(
    ("stat", "err"), [("DELIVRD", "0"), ("UNDELIV", "1"), ("FAILED", "999"), ("REJECTD", "7"), ("EXPIRED", "")]
)
def test_try_write__records_each_final_status(message: SmsMessage, stat: str, err: str) -> None:
    assert statements_of(lambda: by_message(message, stat, err)) == EXPECTED


def test_try_write__ignores_receivers_of_other_signals(message: SmsMessage) -> None:
    def receiver(**kwargs: Any) -> None: ...

    signals.dlr_failed.connect(receiver)
    assert statements_of(lambda: by_message(message)) == EXPECTED


def rows(message: SmsMessage) -> tuple[dict[str, Any], bool, list[dict[str, Any]]]:
    """What is written about a message, whether more is waited for, and its reports, as far as two can be the same."""
    own = {"id", "sms_unique_id", "recipient", "created_at", "send_at", "sent_at", "finalised_at", "message_id"}
    own |= {"received_at", "dispatched_at", "fingerprint", "payload", "dispatch_due_at"}
    values = SmsMessage.objects.filter(pk=message.pk).values().get()
    return (
        {name: value if name not in own else value is None for name, value in values.items()},
        PendingPoll.objects.filter(pk=message.pk).exists(),
        [
            {name: value if name not in own else value is None for name, value in report.items()}
            for report in message.reports.order_by("pk").values()
        ],
    )


REPORTS: list[Callable[[SmsMessage], Any]] = [
    lambda message: simulate_callback(message, "DELIVRD", "000"),
    lambda message: simulate_callback(message, "UNDELIV", "1"),
    lambda message: simulate_callback(message, "REJECTD", "7"),
    lambda message: simulate_callback(message, "REJECTD", "4"),
    lambda message: simulate_callback(message, "ACCEPTD"),
    lambda message: simulate_callback(message, "PONDERD", "x"),
    lambda message: simulate_callback(message, "SEEN", "10"),
    lambda message: [
        simulate_callback(message, stat) for stat in ("FAILED", "DELIVRD", "DELIVRD", "SEEN", "UNDELIV")
    ],
    lambda message: simulate_omnichannel_callback({**POST, "message_id": message.sms_unique_id}),
    lambda message: simulate_omnichannel_callback(
        {**POST, "message_id": message.sms_unique_id, "status": "FAILED", "err": 6}
    ),
]


@pytest.mark.parametrize("with_receivers", [True, False])
@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("priced", [{}, {"price": "0.1", "parts": 1}])
def test_try_write__writes_the_rows_of_the_orm_path(
    report: Callable[[SmsMessage], Any],
    priced: dict[str, Any],
    request: pytest.FixtureRequest,
    *,
    with_receivers: bool,
) -> None:
    if with_receivers:
        request.getfixturevalue("dlr_signals")
    ours, other = SmsMessageFactory.create(**priced), SmsMessageFactory.create(**priced)
    report(ours)
    AccountFactory.create(credits_exhausted_at=None)  # the second outage is to begin like the first
    request.getfixturevalue("orm_path")
    report(other)
    assert rows(ours) == rows(other)


@pytest.mark.parametrize("call", [by_message, by_post])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": '\u00abit\'s\u00bb "100 %s" \\ \t\x01\x1f\x7f\u2028 😀', "recipient": "+37255500001"},
        {"metadata": {"order": 17, "of": [0.1, None, True, '"\n😀'], "deep": json.loads("[" * 20 + "]" * 20)}},
        {"price": "12345678.000001", "parts": 1},
        {"metadata": ["not", "an object"], "error_text": "null", "sender": "[]"},
    ],
)
def test_receivers__get_the_stored_rows(
    message: SmsMessage, values: dict[str, Any], call: Callable[[SmsMessage], None]
) -> None:
    seen: list[bool] = []
    SmsMessage.objects.filter(pk=message.pk).update(**values)

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


def test_receivers__get_the_message_of_each_report(message: SmsMessage, dlr_signals: SignalLog) -> None:
    messages = [message, *SmsMessageFactory.create_batch(2)]
    for each in messages:
        by_message(each)
    values = [arguments for name, arguments in dlr_signals if name == "dlr_delivered"]
    assert [arguments["report"].message for arguments in values] == messages
    assert [arguments["message"] for arguments in values] == messages


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_receivers__get_a_message_whose_init_signals_were_sent(
    message: SmsMessage, dlr_signals: SignalLog, signal: ModelSignal
) -> None:
    made: list[type] = []

    def listener(sender: type, **kwargs: Any) -> None:
        made.append(sender)

    signal.connect(listener, sender=SmsMessage)
    by_message(message)
    assert made.count(SmsMessage) == 1
    assert dlr_signals.arguments("dlr_delivered")["message"] == message


class TestOrmPath:
    def test_used__where_a_delivery_ends_a_hold(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        AccountFactory.create(credits_exhausted_at=message.created_at.replace(year=2020))
        by_message(message)
        assert dlr_signals.names[-1] == "credits_restored"

    def test_price__is_kept_where_one_is_stored(self, message: SmsMessage) -> None:
        SmsMessage.objects.filter(pk=message.pk).update(price="9.5")
        by_post(message)
        message.refresh_from_db()
        assert (message.status, str(message.price), message.parts) == ("delivered", "9.500000", 2)

    @pytest.mark.parametrize("signal", [pre_init, post_init, pre_save, post_save])
    def test_used__where_model_signals_have_receivers(self, message: SmsMessage, signal: ModelSignal) -> None:
        senders: list[type] = []

        def receiver(sender: type, **kwargs: Any) -> None:
            senders.append(sender)

        signal.connect(receiver, sender=DeliveryReport)
        by_message(message)
        assert senders == [DeliveryReport]

    def test_used__where_messages_are_in_another_database(self, message: SmsMessage, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [Elsewhere()]
        assert not fast_path._can_write(connection)

    def test_used__where_the_project_commits_itself(self, message: SmsMessage) -> None:
        connection.set_autocommit(False)
        try:
            assert not fast_path._can_write(connection)
        finally:
            connection.rollback()
            connection.set_autocommit(True)


class Elsewhere:
    """A router that keeps messages apart from their reports."""

    def db_for_write(self, model: type[Any], **hints: Any) -> str | None:
        return "elsewhere" if model is SmsMessage else None


def test_in_a_transaction__signals_wait_for_its_end(message: SmsMessage, dlr_signals: SignalLog) -> None:
    with transaction.atomic():
        by_message(message)
        SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})
        assert dlr_signals == []
    assert dlr_signals.arguments("dlr_delivered")["message"].metadata == {"order": 18}


def test_in_a_transaction__rollback_undoes_the_report(message: SmsMessage, dlr_signals: SignalLog) -> None:
    with transaction.atomic():
        by_message(message)
        transaction.set_rollback(True)
    message.refresh_from_db()
    assert (message.status, message.reports.count(), dlr_signals) == ("sent", 0, [])


def test_in_a_transaction__a_duplicate_does_not_break_it(message: SmsMessage) -> None:
    by_message(message)
    SmsMessage.objects.filter(pk=message.pk).update(status="sent", rank=10)
    with transaction.atomic():
        by_message(message)
        assert message.reports.get().times_received == 2


@pytest.mark.skipif(connection.vendor == "sqlite", reason="an in-memory database is one connection")
def test_error__leaves_no_transaction_open(message: SmsMessage) -> None:
    by_message(message)
    SmsMessage.objects.filter(pk=message.pk).update(status="sent", rank=10)
    by_message(message)  # the duplicate fails after the message is changed
    seen: list[tuple[Any, ...]] = []
    rows = DeliveryReport.objects.filter(message=message)
    run_on_other_connection(lambda: seen.extend(rows.values_list("message__status", "times_received")))
    assert seen == [("sent", 2)]


def test_in_a_batch__is_no_transaction_of_its_own(message: SmsMessage) -> None:
    several = {"mysql": ["SELECT", "UPDATE", "DELETE", "INSERT"]}.get(connection.vendor, EXPECTED)
    with atomic_batch(connection.alias):
        assert statements_of(lambda: by_message(message)) == several
        transaction.set_rollback(True)
    assert not message.reports.exists()


def test_report_columns__are_all_columns_of_the_model() -> None:
    columns = sql.report_columns(Status.DELIVERED, ("dlr_received",), message="1")
    expected = {field.column for field in sql.concrete_fields(DeliveryReport)} - {"id"}
    assert set(columns) == expected


def test_try_write__changes_no_message_of_another_account(message: SmsMessage) -> None:
    SmsMessage.objects.filter(pk=message.pk).update(account="marketing")
    with pytest.raises(receiving.ReportNotForMessage):
        receiving.record(parse_callback("sms_unique_id=an-id&stat=DELIVRD"), account="default")
    message.refresh_from_db()
    assert (message.status, message.reports.count()) == ("sent", 0)
    assert PendingPoll.objects.filter(pk=message.pk).exists()


@contextmanager
def failing(error: Exception) -> Iterator[None]:
    """Have each of the fast path's statements raise, and none of the ORM's."""

    def fail(execute: Callable[..., Any], text: str, params: Any, many: bool, context: Any) -> Any:
        if text.startswith(FIRST_WORDS):
            raise error
        return execute(text, params, many, context)

    with connection.execute_wrapper(fail):
        yield


@pytest.mark.parametrize(
    "error",
    [
        DatabaseError("the statement is not accepted"),
        InterfaceError("the driver fails"),
        AttributeError("a tracer fails"),
        OperationalError("such as a syntax error of SQLite's"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error__is_logged_once_and_the_orm_records_the_report(
    message: SmsMessage, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    other = SmsMessageFactory.create()
    with failing(error):
        by_message(message)
        by_message(other)
    assert [row.reports.get().outcome for row in (message, other)] == ["advanced", "advanced"]
    assert caplog.text.count("The fast path failed") == 1
    assert type(error).__name__ in caplog.text


def test_error__in_a_transaction_does_not_break_it(message: SmsMessage) -> None:
    def fail(execute: Callable[..., Any], text: str, params: Any, many: bool, context: Any) -> Any:
        if text.startswith(FIRST_WORDS):
            return execute("SELECT nothing FROM nowhere", None, many, context)
        return execute(text, params, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(fail):
            by_message(message)
        assert message.reports.get().outcome == "advanced"
