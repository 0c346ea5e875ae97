"""An orphan is stored and matched as soon as its message is stored, in whichever order the two are committed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.test import Client
from django.utils import timezone

from django_messente_dlr import accounts, callbacks, dispatch, receiving
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.receiving import lookup
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from django_messente_dlr.signals import dlr_delivered, dlr_received
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"


def receive_report(stat: str = "DELIVRD", err: str = "", *, account: str = "default") -> DeliveryReport:
    """Receive a report at the callback URL of an account; no message has its id."""
    path = callbacks.callback_url(account).removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": stat, "err": err}).status_code == 200
    return DeliveryReport.objects.latest("pk")


def track() -> SmsMessage:
    return track_sms("an-id", recipient=NUMBER)


def prepare_and_mark_sent() -> SmsMessage:
    return mark_sent(prepare_sms(NUMBER), "an-id")


def prepare_and_mark_sent_in_a_transaction() -> SmsMessage:
    with transaction.atomic():
        return mark_sent(prepare_sms(NUMBER), "an-id")


@pytest.mark.parametrize("register", [track, prepare_and_mark_sent, prepare_and_mark_sent_in_a_transaction])
def test_orphan__is_matched_when_its_message_is_created(
    register: Callable[[], SmsMessage], dlr_signals: SignalLog
) -> None:
    orphan = receive_report()
    assert (orphan.outcome, orphan.message) == ("orphan", None)
    assert dlr_signals == [("dlr_received", {"message": None, "report": orphan})]
    dlr_signals.clear()
    message = register()
    message.refresh_from_db()
    orphan.refresh_from_db()
    assert message.status == "delivered"
    assert (orphan.outcome, orphan.message) == ("advanced", message)
    # dlr_received is not sent again; the signals of the change are.
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]
    assert orphan.dispatch_due_at is None


def test_orphan__sets_all_columns_of_its_message() -> None:
    payload = {
        "message_id": "an-id",
        "status": "UNDELIV",
        "err": 1,
        "error": "Unknown subscriber",
        "channel": "viber",
    }
    assert (
        simulate_omnichannel_callback({**payload, "price_info": {"total_price": "0.2", "parts_count": 2}}).status_code
        == 200
    )
    message = track()
    message.refresh_from_db()
    assert (message.status, message.stat, message.err) == ("failed", "UNDELIV", 1)
    assert (message.error_text, message.channel) == ("Unknown subscriber", "viber")
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


def test_several_orphans__are_all_applied(dlr_signals: SignalLog) -> None:
    for stat, err in (("DELIVRD", ""), ("ACCEPTD", ""), ("UNDELIV", "1")):
        receive_report(stat, err)
    message = track()
    message.refresh_from_db()
    assert message.status == "delivered"
    assert dlr_signals.names.count("dlr_delivered") == 1
    assert "dlr_failed" not in dlr_signals.names
    assert set(message.reports.values_list("outcome", flat=True)) == {"advanced", "stale"}


@pytest.mark.parametrize("how", ["registered", "swept"])
def test_several_orphans__delivery_suppresses_a_failure(how: str, dlr_signals: SignalLog) -> None:
    for stat, err in (("UNDELIV", "1"), ("ACCEPTD", ""), ("DELIVRD", "")):
        receive_report(stat, err)
    dlr_signals.clear()
    if how == "registered":
        message = track()
    else:  # the process that created the message died before it matched orphans
        message = SmsMessageFactory.create(sms_unique_id="an-id")
        sweep()
    message.refresh_from_db()
    assert (message.status, message.err) == ("delivered", None)
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_orphan__is_matched_by_a_duplicate_at_the_message_url(dlr_signals: SignalLog) -> None:
    orphan = receive_report()
    message = prepare_sms(NUMBER)  # the response to the send request was lost, so the id is unknown
    dlr_signals.clear()
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 200
    sweep()
    message.refresh_from_db()
    orphan.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert (orphan.message, orphan.times_received) == (message, 2)
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_orphan__of_an_uncommitted_message_is_matched_later() -> None:
    message = prepare_sms(NUMBER)
    path = message.callback_url.removeprefix("https://shop.example.com")
    pk = message.pk
    # Other connections do not see the row while the transaction is open.
    SmsMessage.objects.filter(pk=pk).delete()
    assert Client().get(path, {"stat": "DELIVRD"}).status_code == 200
    orphan = DeliveryReport.objects.get()
    assert (orphan.outcome, orphan.token_message_id, orphan.account) == ("orphan", pk, "default")
    with transaction.atomic():
        message.pk = pk
        message.save(force_insert=True)
    assert receiving.match_orphans_of(message) == 1
    message.refresh_from_db()
    orphan.refresh_from_db()
    assert message.status == "delivered"
    assert orphan.token_message_id is None


def test_sweep__matches_an_orphan_missed_by_both_commits(dlr_signals: SignalLog) -> None:
    receive_report("UNDELIV", "1")
    message = SmsMessageFactory.create(sms_unique_id="an-id")
    summary = Poller().run()
    message.refresh_from_db()
    assert (message.status, message.err) == ("failed", 1)
    assert summary.matched == 1
    assert "dlr_failed" in dlr_signals.names
    assert Poller().run().matched == 0


def test_match_orphans__continues_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    first, second = receive_report("DELIVRD"), receive_report("ACCEPTD")
    message = SmsMessageFactory.create(sms_unique_id="an-id")

    def find(target: Any, **options: Any) -> SmsMessage | None:
        if not failed_targets:
            failed_targets.append(target)
            raise IntegrityError("another process has taken the id")
        return lookup.find_message(target, **options)

    failed_targets: list[Any] = []
    with mock.patch("django_messente_dlr.receiving.orphans.find_message", find):
        assert receiving.match_orphans() == 1
    assert f"Delivery report {first.pk} could not be matched with its message." in caplog.text
    assert list(message.reports.all()) == [second]
    assert receiving.match_orphans() == 1


def test_track_sms__succeeds_if_matching_fails() -> None:
    receive_report()
    with mock.patch(
        "django_messente_dlr.receiving.confirmation.match_orphans_of", side_effect=OperationalError("gone")
    ):
        message = track()
    assert message.status == "sent"
    assert sweep().matched == 1
    message.refresh_from_db()
    assert message.status == "delivered"


def test_callback__is_answered_200_if_matching_fails() -> None:
    with mock.patch("django_messente_dlr.receiving.record.match_orphan", side_effect=OperationalError("gone")):
        assert receive_report().outcome == "orphan"


def test_report__finds_a_message_committed_after_the_read() -> None:
    def find(*args: object, **kwargs: object) -> None:
        SmsMessageFactory.create(sms_unique_id="an-id")

    with mock.patch("django_messente_dlr.receiving.record.find_message", side_effect=find):
        receive_report()
    assert SmsMessage.objects.get().status == "delivered"


@pytest.mark.parametrize("stat", ["DELIVRD", "PONDERD"])
@pytest.mark.usefixtures("orm_path")
def test_report__is_an_orphan_if_its_message_is_deleted(stat: str) -> None:
    def find_and_interfere(target: Any, **options: Any) -> SmsMessage | None:
        message = lookup.find_message(target, **options)
        SmsMessage.objects.all().delete()
        return message

    SmsMessageFactory.create(sms_unique_id="an-id")
    with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_interfere):
        orphan = receive_report(stat)
    assert (orphan.stat, orphan.outcome, orphan.message) == (stat, "orphan", None)


def test_match_orphans__ignores_messages_of_other_accounts() -> None:
    orphan = receive_report(account="marketing")
    track()
    assert receiving.match_orphans() == 0
    orphan.refresh_from_db()
    assert orphan.outcome == "orphan"


def test_match_orphans__requires_the_id_of_the_message() -> None:
    message = SmsMessageFactory.create(sms_unique_id="another-id")
    orphan = receive_report()
    DeliveryReport.objects.filter(pk=orphan.pk).update(token_message_id=message.pk)
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert message.status == "sent"


def test_mark_sent__skips_an_orphan_with_another_id(caplog: pytest.LogCaptureFixture) -> None:
    message = prepare_sms(NUMBER)
    other_orphan = receive_report("ACCEPTD")
    DeliveryReport.objects.filter(pk=other_orphan.pk).update(sms_unique_id="another-id", token_message_id=message.pk)
    receive_report("DELIVRD")
    mark_sent(message, "an-id")
    message.refresh_from_db()
    other_orphan.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert (other_orphan.message, other_orphan.outcome) == (None, "orphan")
    assert caplog.text == ""


def test_match_orphans__skips_an_orphan_with_a_used_id(caplog: pytest.LogCaptureFixture) -> None:
    orphan, message = receive_report(), prepare_sms(NUMBER)
    DeliveryReport.objects.filter(pk=orphan.pk).update(token_message_id=message.pk)
    SmsMessageFactory.create(sms_unique_id="an-id")
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("queued", None)
    assert caplog.text == ""


def test_match_orphans__concurrent_calls_match_once(dlr_signals: SignalLog) -> None:
    orphan = receive_report("UNDELIV", "1")
    message = SmsMessageFactory.create(sms_unique_id="an-id")

    def find(target: Any, **options: Any) -> SmsMessage | None:
        if not other_matches:
            other_matches.append(0)
            other_matches[0] = receiving.match_orphans_of(message)
        return lookup.find_message(target, **options)

    other_matches: list[int] = []
    with mock.patch("django_messente_dlr.receiving.orphans.find_message", find):
        assert receiving.match_orphans() == 0
    assert other_matches == [1]
    orphan.refresh_from_db()
    assert (orphan.message, orphan.outcome) == (message, "advanced")
    assert dlr_signals.names.count("dlr_failed") == 1


def test_orphan__out_of_credits_starts_a_hold(dlr_signals: SignalLog) -> None:
    """Another program sends with the account, or the report arrives before the message is committed."""
    orphan = receive_report("REJECTD", "4")
    assert accounts.is_held("default")
    assert dlr_signals == [
        ("dlr_received", {"message": None, "report": orphan}),
        ("credits_exhausted", {"message": None, "report": orphan, "account": "default"}),
    ]
    track()
    assert dlr_signals.names.count("credits_exhausted") == 1


def test_orphan__duplicate_starts_no_second_hold() -> None:
    receive_report("REJECTD", "4")
    assert accounts.release_hold("default", now=timezone.now())
    assert receive_report("REJECTD", "4").times_received == 2
    track()
    assert not accounts.is_held("default")


@pytest.mark.parametrize("stat", ["DELIVRD", "SEEN"])
def test_orphan__delivery_with_err_4_starts_no_hold(stat: str) -> None:
    receive_report(stat, "4")
    assert not accounts.is_held("default")


def test_orphan__signed_post_starts_a_hold() -> None:
    report = {"message_id": "an-id", "omnimessage_id": "another-id", "status": "REJECTD", "err": 4}
    assert simulate_omnichannel_callback(report).status_code == 200
    assert accounts.is_held("default")


def test_orphan__url_of_unknown_message_starts_a_hold_when_matched() -> None:
    """Otherwise the URL of one deleted message could start any number of holds, with a new id for each."""
    message = SmsMessageFactory.build(pk=17)
    for sms_unique_id in ("an-id", "another-id"):
        assert simulate_callback(message, "REJECTD", "4", sms_unique_id=sms_unique_id).status_code == 200
    assert not accounts.is_held("default")
    SmsMessageFactory.create(pk=17, sms_unique_id="an-id", created_at=message.created_at)
    assert receiving.match_orphans() == 1
    assert accounts.is_held("default")


def test_orphan__received_before_a_hold_does_not_end_it() -> None:
    orphan = receive_report()
    AccountFactory.create(held=True)
    track()
    orphan.refresh_from_db()
    assert orphan.outcome == "advanced"
    assert accounts.is_held("default")


def test_orphan__is_matched_after_its_receivers_return(dlr_signals: SignalLog) -> None:
    """A receiver tracks the message. No receiver is called twice for the same signal."""

    def receiver(*, message: SmsMessage | None, **kwargs: object) -> None:
        if message is None:
            track()

    dlr_received.connect(receiver)
    orphan = receive_report()
    assert orphan.outcome == "advanced"
    assert SmsMessage.objects.get().status == "delivered"
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert orphan.dispatch_due_at is None


def test_sweep__matches_an_orphan_whose_process_died(dlr_signals: SignalLog) -> None:
    with mock.patch("django_messente_dlr.dispatch.send.dispatch_report"):
        receive_report()
    message = track()
    assert receiving.match_orphans() == 0  # its process may still be sending the signals
    DeliveryReport.objects.update(dispatch_due_at=timezone.now() - timedelta(seconds=1))
    assert sweep().matched == 1
    message.refresh_from_db()
    assert message.status == "delivered"
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert not DeliveryReport.objects.undispatched().exists()


def test_sweep__sends_the_signals_of_an_earlier_match(dlr_signals: SignalLog) -> None:
    receive_report()
    dlr_signals.clear()
    with mock.patch("django_messente_dlr.dispatch.send.dispatch_report"):
        track()
    assert dispatch.dispatch_overdue() == 0  # the process may still be sending the signals
    assert dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE) == 1
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_orphan__duplicate_is_counted() -> None:
    receive_report()
    assert receive_report().times_received == 2
    assert DeliveryReport.objects.count() == 1


def test_orphan__same_id_of_two_accounts_is_two_reports() -> None:
    receive_report()
    assert receive_report(account="marketing").times_received == 1
    assert DeliveryReport.objects.count() == 2


def test_orphan__receiver_that_raised_is_not_called_again_when_matched(dlr_signals: SignalLog) -> None:
    """dlr_received is sent once. The error stays stored, and an administrator can send all signals again."""
    received: list[object] = []

    def receiver(message: object, **kwargs: object) -> None:
        received.append(message)
        if message is None:
            raise RuntimeError("not without its message")

    dlr_received.connect(receiver)
    orphan = receive_report()
    assert "not without its message" in orphan.dispatch_error
    message = track()
    orphan.refresh_from_db()
    assert received == [None]
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert "not without its message" in orphan.dispatch_error
    assert list(DeliveryReport.objects.dispatch_failed()) == [orphan]
    assert dispatch.dispatch_report(orphan.pk) is True
    orphan.refresh_from_db()
    assert received == [None, message]
    assert (orphan.dispatch_error, orphan.dispatch_failed_at) == ("", None)


def test_orphan__errors_of_both_dispatches_are_stored(dlr_signals: SignalLog) -> None:
    def receiver(signal: object, **kwargs: object) -> None:
        raise RuntimeError("received" if signal is dlr_received else "delivered")

    dlr_received.connect(receiver)
    dlr_delivered.connect(receiver)
    receive_report()
    track()
    errors = DeliveryReport.objects.get().dispatch_error.splitlines()
    assert [line.rpartition(" ")[2] for line in errors] == ["received", "delivered"]


def test_orphan__receiver_that_raised_is_not_called_again_by_the_sweep(dlr_signals: SignalLog) -> None:
    def receiver(**kwargs: object) -> None:
        raise RuntimeError("no such order")

    dlr_received.connect(receiver)
    receive_report()
    with mock.patch("django_messente_dlr.dispatch.send.dispatch_report"):
        track()
    assert dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE) == 1
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert "no such order" in DeliveryReport.objects.get().dispatch_error


def receive_omnichannel_report(message_id: str, status: str, omnimessage_id: str = "an-omni-id") -> int:
    payload = {"message_id": message_id, "omnimessage_id": omnimessage_id, "status": status, "err": 0}
    return simulate_omnichannel_callback(payload).status_code


def test_omnimessage__takes_the_reports_of_all_channels() -> None:
    message = mark_sent(prepare_sms(NUMBER, channel="viber"), omnimessage_id="an-omni-id")
    assert receive_omnichannel_report("viber-id", "UNDELIV") == 200
    assert receive_omnichannel_report("sms-id", "DELIVRD") == 200
    message.refresh_from_db()
    assert message.status == "delivered"
    assert message.sms_unique_id is None
    assert message.reports.count() == 2


def test_channel_message__ignores_reports_of_other_channels() -> None:
    message = mark_sent(prepare_sms(NUMBER), "sms-id", omnimessage_id="an-omni-id")
    assert receive_omnichannel_report("viber-id", "UNDELIV") == 200
    message.refresh_from_db()
    assert message.status == "sent"
    assert DeliveryReport.objects.orphans().count() == 1


def test_match_orphans__ignores_orphans_of_other_channels() -> None:
    message = mark_sent(prepare_sms(NUMBER), "sms-id", omnimessage_id="an-omni-id")
    assert receive_omnichannel_report("viber-id", "UNDELIV") == 200
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert message.status == "sent"


def test_match_orphans__matches_an_omnimessage() -> None:
    receive_omnichannel_report("viber-id", "DELIVRD")
    message = SmsMessageFactory.create(sms_unique_id=None, omnimessage_id="an-omni-id")
    assert receiving.match_orphans() == 1
    message.refresh_from_db()
    assert message.status == "delivered"


def test_track_sms__matches_orphans_of_an_omnimessage() -> None:
    receive_omnichannel_report("viber-id", "SEEN")
    message = track_sms(omnimessage_id="an-omni-id", channel="viber")
    message.refresh_from_db()
    assert message.status == "seen"


def test_early_report__sets_the_message_id() -> None:
    message = prepare_sms(NUMBER)
    assert simulate_callback(message, "ACCEPTD", sms_unique_id="an-id").status_code == 200
    message.refresh_from_db()
    assert (message.sms_unique_id, message.status) == ("an-id", "sent")
    mark_sent(message, "an-id")
    assert message.sent_at is not None


def test_early_report__with_a_used_id_is_rejected() -> None:
    SmsMessageFactory.create(sms_unique_id="an-id")
    message = prepare_sms(NUMBER)
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 403
    assert not DeliveryReport.objects.exists()


def test_early_report__does_not_replace_an_id() -> None:
    """The response to the send request and a report arrive at the same time with different ids."""

    def find_and_interfere(target: Any, **options: Any) -> SmsMessage | None:
        found_message = lookup.find_message(target, **options)
        if message.sms_unique_id is None:
            mark_sent(message, "an-id")
        return found_message

    message = prepare_sms(NUMBER)
    with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_interfere):
        assert simulate_callback(message, "PONDERD", sms_unique_id="another-id").status_code == 403
    message.refresh_from_db()
    assert message.sms_unique_id == "an-id"
    assert not message.reports.exists()


def test_early_report__sets_the_omnimessage_id() -> None:
    message = prepare_sms(NUMBER)
    payload = {"message_id": "sms-id", "omnimessage_id": "an-omni-id", "status": "ACK", "err": None}
    assert simulate_omnichannel_callback(payload, url=message.callback_url).status_code == 200
    message.refresh_from_db()
    assert (message.sms_unique_id, message.omnimessage_id) == (None, "an-omni-id")
    assert mark_sent(message, "sms-id", omnimessage_id="an-omni-id").sms_unique_id == "sms-id"


def test_orphan__keeps_its_time_of_receipt(dlr_signals: SignalLog) -> None:
    orphan = receive_report()
    earlier = orphan.received_at - timedelta(hours=1)
    DeliveryReport.objects.filter(pk=orphan.pk).update(received_at=earlier)
    track()
    orphan.refresh_from_db()
    assert orphan.received_at == earlier


@pytest.mark.parametrize("meanwhile", ["mark_sent", "another report"])
def test_record__own_id_is_stored_meanwhile(meanwhile: str, dlr_signals: SignalLog) -> None:
    """The message gets its id between the read of the message and the search for another one with this id."""
    message = prepare_sms("+37255500000")
    find_message, calls = lookup.find_message, list[int]()

    def find_and_change(*args: Any, **options: Any) -> SmsMessage | None:
        found_message = find_message(*args, **options)
        calls.append(1)
        if len(calls) == 1 and meanwhile == "mark_sent":
            mark_sent(message, "an-id")
        elif len(calls) == 1:
            assert simulate_callback(message, "ACCEPTD", sms_unique_id="an-id").status_code == 200
        return found_message

    with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_change):
        assert simulate_callback(message, "DELIVRD", sms_unique_id="an-id").status_code == 200
    message.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert dlr_signals.names.count("dlr_delivered") == 1
