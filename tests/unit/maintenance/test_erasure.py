"""``erase_recipients`` removes a number from every table, and later reports do not bring it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.test import Client
from django.utils import timezone
from shop.models import Order

from django_messente_dlr import receiving
from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.maintenance.status_counts import count_messages
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import mark_sent, prepare_sms, resend, send_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils.phone_numbers import is_pseudonym
from tests.spellings import NATIONAL, NUMBER, SPELLINGS, contains_the_number
from tests.unit.admin.pages import search

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = {"messages": 0, "reports": 0, "accounts": 0, "log_entries": 0}


def dump() -> dict[str, list[Any]]:
    """Return the content of every table of the app, and of the admin's log entries."""
    tables: list[type[models.Model]] = [*apps.get_app_config("django_messente_dlr").get_models(), LogEntry]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in tables}


def tables_with_the_number() -> list[str]:
    return [
        name
        for name, rows in dump().items()
        if any(contains_the_number(json.dumps(row, default=str, ensure_ascii=False)) for row in rows)
    ]


def log(row: models.Model, text: str) -> LogEntry:
    user, _ = User.objects.get_or_create(username="admin")
    entry: LogEntry = LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(row),
        object_id=row.pk,
        object_repr=text[:200],
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"fields": [text]}}]),
    )
    return entry


def create_rows(spelling: str) -> SmsMessage:
    """Create rows that have the number in every column for texts, and return the message to it."""
    texts = {
        "text": f"Call {spelling}.",
        "error_text": f"{spelling} is not valid. ".ljust(255, "."),
        "metadata": {"phone": spelling, "list": [spelling], spelling: 1, "number": int(NATIONAL), "order": 17},
        "reference": f"call {spelling}",
        "options": {"api": "omnichannel", "charset": spelling},
        "channels": [{"channel": "viber", "text": f"Call {spelling}.", "ttl": 60, "message_id": "1"}, {"text": ""}],
    }
    payload = {"to": spelling, "error": f"to={spelling}&x", "nested": [{spelling: int(NUMBER[1:])}], "stat": "X"}
    error = f"shop.on_dlr: KeyError: '{spelling}'"
    message: SmsMessage = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, **texts)
    DeliveryReportFactory.create(message=message, payload=payload, dispatch_error=error)
    DeliveryReportFactory.create(message=None, payload=payload, dispatch_error=error)
    SmsMessageFactory.create(sender=spelling[:32], **texts)
    AccountFactory.create(last_poll_error=f"ERROR 105 {spelling}")
    log(message, f"SMS to {spelling}")
    return message


@pytest.mark.parametrize("stored", [NUMBER, NUMBER[1:], f"00{NUMBER[1:]}"])
def test_erase__no_table_contains_the_number(stored: str) -> None:
    """Rows in each spelling, for each format in which a project can store its recipients."""
    for spelling in SPELLINGS:
        SmsMessage.objects.filter(pk=create_rows(spelling).pk).update(recipient=stored)
    create_rows(stored)
    before = dump()
    assert set(tables_with_the_number()) == {"SmsMessage", "DeliveryReport", "Account", "LogEntry"}
    result = erase_recipients([NUMBER])
    assert tables_with_the_number() == []
    written = len(SPELLINGS) + 1
    assert asdict(result) == {"messages": 2 * written, "reports": 2 * written, "accounts": 1, "log_entries": written}
    after = dump()
    for name, rows in before.items():
        for old, new in zip(rows, after[name], strict=True):
            changed = {column for column in old if old[column] != new[column]}
            texts = {"recipient", "sender", "text", "error_text", "metadata", "payload", "dispatch_error"}
            texts |= {"reference", "options", "channels"}
            assert changed <= texts | {"last_poll_error", "object_repr", "change_message"}, name


def test_erase__pseudonym_replaces_the_number_only() -> None:
    message = create_rows("+372 555 12345")
    other = create_rows(NUMBER)
    erase_recipients([NUMBER])
    message.refresh_from_db()
    other.refresh_from_db()
    pseudonym = message.recipient
    assert is_pseudonym(pseudonym)
    assert pseudonym == other.recipient
    assert message.text == f"Call {pseudonym}."
    assert message.reference == f"call {pseudonym}"
    assert message.options == {"api": "omnichannel", "charset": pseudonym}
    assert message.channels == [
        {"channel": "viber", "text": f"Call {pseudonym}.", "ttl": 60, "message_id": "1"},
        {"text": ""},
    ]
    assert message.metadata == {
        "phone": pseudonym,
        "list": [pseudonym],
        pseudonym: 1,
        "number": pseudonym,
        "order": 17,
    }
    assert message.error_text.startswith(f"{pseudonym} is not valid. ...")
    assert len(message.error_text) == 255
    payload = message.reports.get().payload
    assert payload["to"] == pseudonym
    assert payload["error"] == f"to={pseudonym}&x"
    assert payload["stat"] == "X"


def test_erase__repeated() -> None:
    create_rows(NUMBER)
    erase_recipients([NUMBER])
    before = dump()
    assert asdict(erase_recipients([NUMBER])) == NOTHING
    assert dump() == before


def test_erase__dry_run_counts_the_same() -> None:
    create_rows("372 555 12345")
    before = dump()
    counted = erase_recipients([NUMBER], dry_run=True)
    assert dump() == before
    assert erase_recipients([NUMBER]) == counted


def test_erase__batches() -> None:
    for _ in range(7):
        create_rows(NUMBER)
    result = erase_recipients([NUMBER], size=2)
    assert (result.messages, result.reports) == (14, 14)
    assert tables_with_the_number() == []
    assert SmsMessage.objects.values("recipient").filter(recipient__startswith="erased-").distinct().count() == 1


def test_erase__pseudonym_of_each_run_and_number() -> None:
    """Nothing links the messages of a later run, or of another number, to those of this run."""
    first, second = SmsMessageFactory.create(recipient=NUMBER), SmsMessageFactory.create(recipient="+37255500002")
    erase_recipients([NUMBER, "+37255500002"])
    third = SmsMessageFactory.create(recipient=NUMBER)
    erase_recipients([NUMBER])
    pseudonyms = {SmsMessage.objects.get(pk=row.pk).recipient for row in (first, second, third)}
    assert len(pseudonyms) == 3
    assert all(is_pseudonym(pseudonym) and not any(map(str.isdigit, pseudonym)) for pseudonym in pseudonyms)


@pytest.mark.parametrize(
    "text",
    [
        "+372555123456",
        "+3725551234",
        "order 1555123450",
        "155512345",
        "+49 155 5512345",
        "55512344",
    ],
)
def test_erase__keeps_other_numbers(text: str) -> None:
    """Another number can begin or end like this one, and the ids at Messente are needed to poll."""
    SmsMessageFactory.create(
        recipient="+372555123456", text=text, metadata={text: text}, sms_unique_id="55512345-55512345"
    )
    before = dump()
    assert asdict(erase_recipients([NUMBER])) == NOTHING
    assert dump() == before


def test_erase__short_numbers() -> None:
    """A short number is erased in its own messages only: elsewhere it could be an order or an amount."""
    own = SmsMessageFactory.create(recipient="12345", text="12345", metadata={"phone": 12345})
    DeliveryReportFactory.create(message=own, payload={"to": "12345"})
    island = SmsMessageFactory.create(recipient="+298123456", text="to 123456")
    other = SmsMessageFactory.create(text="Order 12345, 123456", metadata={"order": 12345})
    assert asdict(erase_recipients(["12345", "+298123456"])) == {**NOTHING, "messages": 2, "reports": 1}
    for message in (own, island, other):
        message.refresh_from_db()
    assert own.text == own.metadata["phone"] == own.reports.get().payload["to"] == own.recipient
    assert island.text == f"to {island.recipient}"
    assert (other.text, other.metadata) == ("Order 12345, 123456", {"order": 12345})


def test_erase__log_entries_of_the_project_are_kept() -> None:
    order = Order.objects.create(phone=NUMBER)
    entry = log(order, NUMBER)
    assert asdict(erase_recipients([NUMBER])) == NOTHING
    assert LogEntry.objects.get(pk=entry.pk).object_repr == NUMBER


def test_erase__keeps_counts_and_statuses() -> None:
    now = timezone.now()
    hour = {"created_at": now - timedelta(minutes=1)}
    for status in Status:
        SmsMessageFactory.create(recipient=NUMBER, status=status, **hour)
    before = count_messages(now - timedelta(hours=1), now)
    erase_recipients([NUMBER])
    after = count_messages(now - timedelta(hours=1), now)
    assert (after.statuses, after.by_account, after.causes) == (before.statuses, before.by_account, before.causes)
    # The pseudonym has no calling code.
    assert set(before.by_prefix) == {"+372"}
    assert set(after.by_prefix) == {""}


# Later reports


@pytest.mark.usefixtures("each_path")
@pytest.mark.parametrize("stat", ["DELIVRD", "FAILED", "ACK", "UNKNOWN-WORD"])
def test_later_omnichannel_report__without_the_number(stat: str, dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(recipient=NUMBER, omnimessage_id="1234567-1234")
    erase_recipients([NUMBER])
    payload = {
        "message_id": message.sms_unique_id,
        "omnimessage_id": "1234567-1234",
        "to": NUMBER,
        "status": stat,
        "error": "372 555 12345 is not valid",
        "timestamp": "2024-05-06T07:08:09.123456",
        "price_info": {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"},
    }
    assert simulate_omnichannel_callback(payload).status_code == 200
    assert simulate_omnichannel_callback(payload).status_code == 200
    assert tables_with_the_number() == []
    message.refresh_from_db()
    report = message.reports.get()
    assert report.times_received == 2
    pseudonym = message.recipient
    assert report.payload == {**payload, "to": pseudonym, "error": f"{pseudonym} is not valid"}
    if stat in {"DELIVRD", "FAILED"}:
        assert message.status == Status[{"DELIVRD": "DELIVERED"}.get(stat, stat)]
        assert message.price == Decimal("0.2")
        assert message.error_text == f"{pseudonym} is not valid"
    assert dlr_signals.arguments("dlr_received")["report"].payload["to"] == pseudonym


@pytest.mark.usefixtures("each_path")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_later_callback__without_the_number(spelling: str) -> None:
    message = SmsMessageFactory.create(recipient=NUMBER)
    erase_recipients([NUMBER])
    assert simulate_callback(message, "DELIVRD", to=spelling, x=f"to {spelling}.").status_code == 200
    assert tables_with_the_number() == []
    message.refresh_from_db()
    assert message.status == Status.DELIVERED


@contextmanager
def after_first_read(callback: Callable[[], object]) -> Iterator[None]:
    """Call ``callback`` when the message has been read, as another process would erase it at that moment."""
    calls: list[str] = []

    def wrapper(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        result = execute(sql, *args)
        if not calls and sql.startswith("SELECT") and SmsMessage._meta.db_table in sql:
            calls.append(sql)
            callback()
        return result

    with connection.execute_wrapper(wrapper):
        yield
    assert calls


@pytest.mark.parametrize("stat", ["DELIVRD", "ACK", "UNKNOWN-WORD"])
def test_report__message_is_erased_after_it_was_read(orm_path: None, stat: str) -> None:
    """Of a report that changes the message, and of reports that change nothing and write only their own row."""
    message = SmsMessageFactory.create(recipient=NUMBER, stat="ACK")
    payload = {"message_id": message.sms_unique_id, "to": NUMBER, "status": stat}
    with after_first_read(lambda: erase_recipients([NUMBER])):
        assert simulate_omnichannel_callback(payload).status_code == 200
    assert message.reports.count() == 1
    assert tables_with_the_number() == []


def test_orphan__matched_with_an_erased_message() -> None:
    message = prepare_sms(NUMBER)
    erase_recipients([NUMBER])
    payload = {"message_id": "an-id", "to": NUMBER, "status": "DELIVRD", "error": NUMBER}
    assert simulate_omnichannel_callback(payload).status_code == 200
    assert tables_with_the_number() == ["DeliveryReport"]
    mark_sent(message, "an-id")
    assert tables_with_the_number() == []
    assert SmsMessage.objects.get().status == Status.DELIVERED


def test_pending_message__is_polled_after_the_erasure(messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": ""}
    message = send_sms("+37255512000", "Your parcel is here")
    messente_sandbox.wait_until_idle(10)
    erase_recipients(["+37255512000"])
    PendingPoll.objects.update(due_at=timezone.now())
    assert Poller().run().final == 1
    message.refresh_from_db()
    assert message.is_erased
    assert message.status == Status.DELIVERED
    assert not PendingPoll.objects.exists()


def test_refused_message__erased_while_it_is_sent() -> None:
    message = SmsMessageFactory.create(recipient=NUMBER, queued=True)
    erase_recipients([NUMBER])
    error = f"Messente answered: {NUMBER}"
    report = Report(source=Source.SEND, error_text=error, payload={"answer": error})
    receiving.record_final(message, report, Status.FAILED)
    assert tables_with_the_number() == []


def test_search__by_pseudonym(admin_client: Client) -> None:
    message = SmsMessageFactory.create(recipient=NUMBER)
    SmsMessageFactory.create()
    erase_recipients([NUMBER])
    message.refresh_from_db()
    assert search(admin_client, SmsMessage, message.recipient) == [message]
    assert search(admin_client, SmsMessage, NUMBER) == []


def test_erase__keeps_the_ids_of_channels() -> None:
    """Polling and the reports of a channel need its id, also one that looks like the number."""
    channels = [{"channel": "viber", "message_id": NUMBER[1:]}, {"channel": "sms", "text": NUMBER}]
    message = SmsMessageFactory.create(recipient=NUMBER, channels=channels)
    erase_recipients([NUMBER])
    message.refresh_from_db()
    assert message.channels == [
        {"channel": "viber", "message_id": NUMBER[1:]},
        {"channel": "sms", "text": message.recipient},
    ]


def test_erase__reference_is_cut() -> None:
    message = SmsMessageFactory.create(recipient=NUMBER, reference=NUMBER.rjust(128))
    erase_recipients([NUMBER])
    message.refresh_from_db()
    assert not contains_the_number(message.reference)
    assert len(message.reference) <= 128


def test_erase__message_and_its_resend() -> None:
    old = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, text=f"Call {NUMBER}")
    new = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, text=f"Call {NUMBER}", resend_of=old)
    erase_recipients([NUMBER])
    old.refresh_from_db()
    new.refresh_from_db()
    assert (new.resend_of, new.recipient, new.text) == (old, old.recipient, old.text)
    for message in (old, new):
        with pytest.raises(ValueError, match="its recipient is erased"):
            resend(message, text="Your parcel is here")
