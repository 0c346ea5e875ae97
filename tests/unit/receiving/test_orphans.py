"""A report that comes before its message is known is kept, and matched as soon as it is, whichever commits first."""

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
from django_messente_dlr.signals import dlr_received
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"


def report(stat: str = "DELIVRD", err: str = "", *, account: str = "default") -> DeliveryReport:
    """Have an account's URL called about a message that nobody knows."""
    path = callbacks.callback_url(account).removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": stat, "err": err}).status_code == 200
    return DeliveryReport.objects.latest("pk")


def tracked() -> SmsMessage:
    return track_sms("an-id", recipient=NUMBER)


def prepared_and_marked() -> SmsMessage:
    return mark_sent(prepare_sms(NUMBER), "an-id")


def prepared_and_marked_in_one_transaction() -> SmsMessage:
    with transaction.atomic():
        return mark_sent(prepare_sms(NUMBER), "an-id")


@pytest.mark.parametrize("register", [tracked, prepared_and_marked, prepared_and_marked_in_one_transaction])
def test_an_orphan_is_kept_and_matched_when_its_message_is_known(
    register: Callable[[], SmsMessage], dlr_signals: SignalLog
) -> None:
    orphan = report()
    assert (orphan.outcome, orphan.message) == ("orphan", None)
    assert dlr_signals == [("dlr_received", {"message": None, "report": orphan})]
    dlr_signals.clear()
    message = register()
    message.refresh_from_db()
    orphan.refresh_from_db()
    assert message.status == "delivered"
    assert (orphan.outcome, orphan.message) == ("advanced", message)
    # That it was received is not told again; what it changed is.
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]
    assert orphan.dispatch_due_at is None


def test_an_orphan_tells_its_message_all_that_it_has_told() -> None:
    told = {"message_id": "an-id", "status": "UNDELIV", "err": 1, "error": "Unknown subscriber", "channel": "viber"}
    assert (
        simulate_omnichannel_callback({**told, "price_info": {"total_price": "0.2", "parts_count": 2}}).status_code
        == 200
    )
    message = tracked()
    message.refresh_from_db()
    assert (message.status, message.stat, message.err) == ("failed", "UNDELIV", 1)
    assert (message.error_text, message.channel) == ("Unknown subscriber", "viber")
    assert (message.price, message.parts) == (Decimal("0.2"), 2)


def test_several_orphans_do_what_they_would_have_done_in_any_order(dlr_signals: SignalLog) -> None:
    for stat, err in (("DELIVRD", ""), ("ACCEPTD", ""), ("UNDELIV", "1")):
        report(stat, err)
    message = tracked()
    message.refresh_from_db()
    assert message.status == "delivered"
    assert dlr_signals.names.count("dlr_delivered") == 1
    assert "dlr_failed" not in dlr_signals.names
    assert set(message.reports.values_list("outcome", flat=True)) == {"advanced", "stale"}


@pytest.mark.parametrize("how", ["registered", "swept"])
def test_of_orphans_that_tell_of_a_failure_and_of_the_delivery_after_it_the_delivery_is_told(
    how: str, dlr_signals: SignalLog
) -> None:
    for stat, err in (("UNDELIV", "1"), ("ACCEPTD", ""), ("DELIVRD", "")):
        report(stat, err)
    dlr_signals.clear()
    if how == "registered":
        message = tracked()
    else:  # by a process that died before it looked for orphans
        message = SmsMessageFactory.create(sms_unique_id="an-id")
        sweep()
    message.refresh_from_db()
    assert (message.status, message.err) == ("delivered", None)
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_an_orphan_that_comes_again_by_its_messages_own_url_is_given_to_it(dlr_signals: SignalLog) -> None:
    orphan = report()
    message = prepare_sms(NUMBER)  # the answer to sending got lost: its id is not known
    dlr_signals.clear()
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 200
    sweep()
    message.refresh_from_db()
    orphan.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert (orphan.message, orphan.times_received) == (message, 2)
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_a_report_by_the_url_of_a_row_that_is_not_committed_yet_is_matched_when_it_is() -> None:
    message = prepare_sms(NUMBER)
    path = message.callback_url.removeprefix("https://shop.example.com")
    pk = message.pk
    # As another connection sees it while the transaction is open: there is no such row.
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


def test_the_sweep_matches_what_both_sides_have_missed(dlr_signals: SignalLog) -> None:
    report("UNDELIV", "1")
    message = SmsMessageFactory.create(sms_unique_id="an-id")
    summary = Poller().run()
    message.refresh_from_db()
    assert (message.status, message.err) == ("failed", 1)
    assert summary.matched == 1
    assert "dlr_failed" in dlr_signals.names
    assert Poller().run().matched == 0


def test_an_orphan_that_cannot_be_matched_keeps_no_other_from_its_message(caplog: pytest.LogCaptureFixture) -> None:
    first, second = report("DELIVRD"), report("ACCEPTD")
    with mock.patch("django_messente_dlr.receiving.record.match_orphans_of"):
        message = tracked()

    def find(address: Any, **options: Any) -> SmsMessage | None:
        if not broken:
            broken.append(address)
            raise IntegrityError("as another process would have it")
        return lookup.find_message(address, **options)

    broken: list[Any] = []
    with mock.patch("django_messente_dlr.receiving.orphans.find_message", find):
        assert receiving.match_orphans() == 1
    assert f"Delivery report {first.pk} could not be matched with its message." in caplog.text
    assert list(message.reports.all()) == [second]
    assert receiving.match_orphans() == 1


def test_what_fails_after_the_commit_keeps_no_message_from_being_entered_and_is_done_by_the_sweep() -> None:
    report()
    with mock.patch("django_messente_dlr.receiving.record.match_orphans_of", side_effect=OperationalError("gone")):
        message = tracked()
    assert message.status == "sent"
    assert sweep().matched == 1
    message.refresh_from_db()
    assert message.status == "delivered"


def test_what_fails_after_the_commit_keeps_no_orphan_from_being_answered_200() -> None:
    with mock.patch("django_messente_dlr.receiving.record.match_orphan", side_effect=OperationalError("gone")):
        assert report().outcome == "orphan"


def test_a_message_committed_between_the_look_and_the_commit_is_found() -> None:

    def find(*args: object, **kwargs: object) -> None:
        SmsMessageFactory.create(sms_unique_id="an-id")

    with mock.patch("django_messente_dlr.receiving.record.find_message", side_effect=find):
        report()
    assert SmsMessage.objects.get().status == "delivered"


@pytest.mark.parametrize("stat", ["DELIVRD", "PONDERD"])
@pytest.mark.usefixtures("orm_path")
def test_a_report_whose_message_is_deleted_while_it_is_written_is_kept_without_it(stat: str) -> None:
    def find_and_be_overtaken(address: Any, **options: Any) -> SmsMessage | None:
        found = lookup.find_message(address, **options)
        SmsMessage.objects.all().delete()
        return found

    SmsMessageFactory.create(sms_unique_id="an-id")
    with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_be_overtaken):
        orphan = report(stat)
    assert (orphan.stat, orphan.outcome, orphan.message) == (stat, "orphan", None)


def test_an_orphan_is_not_matched_with_another_accounts_message() -> None:
    orphan = report(account="marketing")
    tracked()
    assert receiving.match_orphans() == 0
    orphan.refresh_from_db()
    assert orphan.outcome == "orphan"


def test_a_named_orphan_is_not_matched_with_a_message_that_has_another_id() -> None:
    message = SmsMessageFactory.create(sms_unique_id="another-id")
    orphan = report()
    DeliveryReport.objects.filter(pk=orphan.pk).update(token_message_id=message.pk)
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_named_orphan_of_another_message_keeps_no_other_from_its_message(caplog: pytest.LogCaptureFixture) -> None:
    message = prepare_sms(NUMBER)
    foreign = report("ACCEPTD")
    DeliveryReport.objects.filter(pk=foreign.pk).update(sms_unique_id="another-id", token_message_id=message.pk)
    report("DELIVRD")
    mark_sent(message, "an-id")
    message.refresh_from_db()
    foreign.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert (foreign.message, foreign.outcome) == (None, "orphan")
    assert caplog.text == ""


def test_a_named_orphan_whose_id_is_another_messages_stays_an_orphan(caplog: pytest.LogCaptureFixture) -> None:
    orphan, message = report(), prepare_sms(NUMBER)
    DeliveryReport.objects.filter(pk=orphan.pk).update(token_message_id=message.pk)
    SmsMessageFactory.create(sms_unique_id="an-id")
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("queued", None)
    assert caplog.text == ""


def test_two_who_find_an_orphan_at_the_same_time_give_it_to_its_message_once(dlr_signals: SignalLog) -> None:
    orphan = report("UNDELIV", "1")
    with mock.patch("django_messente_dlr.receiving.record.match_orphans_of"):
        message = tracked()

    def find(address: Any, **options: Any) -> SmsMessage | None:
        if not others:
            others.append(0)
            others[0] = receiving.match_orphans_of(message)
        return lookup.find_message(address, **options)

    others: list[int] = []
    with mock.patch("django_messente_dlr.receiving.orphans.find_message", find):
        assert receiving.match_orphans() == 0
    assert others == [1]
    orphan.refresh_from_db()
    assert (orphan.message, orphan.outcome) == (message, "advanced")
    assert dlr_signals.names.count("dlr_failed") == 1


def test_an_orphan_without_credit_begins_no_hold_until_its_message_is_known(dlr_signals: SignalLog) -> None:
    report("REJECTD", "4")
    assert not accounts.is_held("default")
    tracked()
    assert accounts.is_held("default")
    assert dlr_signals.names.count("credits_exhausted") == 1


def test_a_delivery_that_came_before_the_hold_does_not_end_it_when_it_is_matched_later() -> None:
    orphan = report()
    AccountFactory.create(held=True)
    tracked()
    orphan.refresh_from_db()
    assert orphan.outcome == "advanced"
    assert accounts.is_held("default")


def test_an_orphan_that_is_being_told_of_is_matched_afterwards(dlr_signals: SignalLog) -> None:
    """Its message is registered while receivers still run: they are not called twice for what they just hear."""

    def registers(*, message: SmsMessage | None, **kwargs: object) -> None:
        if message is None:
            tracked()

    dlr_received.connect(registers)
    orphan = report()
    assert orphan.outcome == "advanced"
    assert SmsMessage.objects.get().status == "delivered"
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert orphan.dispatch_due_at is None


def test_an_orphan_whose_process_died_while_it_told_of_it_is_matched_by_the_sweep(dlr_signals: SignalLog) -> None:
    with mock.patch("django_messente_dlr.dispatch.dispatch_report"):
        report()
    message = tracked()
    assert receiving.match_orphans() == 0  # for all that is known its process lives, and goes on
    DeliveryReport.objects.update(dispatch_due_at=timezone.now() - timedelta(seconds=1))
    assert sweep().matched == 1
    message.refresh_from_db()
    assert message.status == "delivered"
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert not DeliveryReport.objects.undispatched().exists()


def test_what_a_match_has_changed_is_told_by_the_sweep_where_its_process_died(dlr_signals: SignalLog) -> None:
    report()
    dlr_signals.clear()
    with mock.patch("django_messente_dlr.dispatch.dispatch_report"):
        tracked()
    assert dispatch.dispatch_overdue() == 0  # it may be under way still
    assert dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE) == 1
    assert dlr_signals.names == ["dlr_status_changed", "dlr_delivered"]


def test_a_repeated_orphan_is_counted_and_stays_one() -> None:
    report()
    assert report().times_received == 2
    assert DeliveryReport.objects.count() == 1


def test_two_accounts_reports_of_the_same_id_are_two() -> None:
    report()
    assert report(account="marketing").times_received == 1
    assert DeliveryReport.objects.count() == 2


def test_a_receiver_that_raised_hears_of_the_report_again_when_it_is_matched() -> None:
    from django_messente_dlr.signals import dlr_received

    heard: list[object] = []

    def receiver(message: object, **kwargs: object) -> None:
        heard.append(message)
        if message is None:
            raise RuntimeError("not without its message")

    dlr_received.connect(receiver)
    orphan = report()
    assert "not without its message" in orphan.dispatch_error
    message = tracked()
    orphan.refresh_from_db()
    assert heard == [None, message]
    assert orphan.dispatch_error == ""


def omni(message_id: str, status: str, omnimessage_id: str = "an-omni-id") -> int:
    payload = {"message_id": message_id, "omnimessage_id": omnimessage_id, "status": status, "err": 0}
    return simulate_omnichannel_callback(payload).status_code


def test_a_row_that_stands_for_a_whole_omnimessage_takes_the_reports_of_all_its_channels() -> None:
    message = mark_sent(prepare_sms(NUMBER, channel="viber"), omnimessage_id="an-omni-id")
    assert omni("viber-id", "UNDELIV") == 200
    assert omni("sms-id", "DELIVRD") == 200
    message.refresh_from_db()
    assert message.status == "delivered"
    assert message.sms_unique_id is None
    assert message.reports.count() == 2


def test_a_row_of_one_channel_does_not_take_anothers_report() -> None:
    message = mark_sent(prepare_sms(NUMBER), "sms-id", omnimessage_id="an-omni-id")
    assert omni("viber-id", "UNDELIV") == 200
    message.refresh_from_db()
    assert message.status == "sent"
    assert DeliveryReport.objects.orphans().count() == 1


def test_the_sweep_gives_a_row_of_one_channel_no_report_of_another() -> None:
    message = mark_sent(prepare_sms(NUMBER), "sms-id", omnimessage_id="an-omni-id")
    assert omni("viber-id", "UNDELIV") == 200
    assert receiving.match_orphans() == 0
    message.refresh_from_db()
    assert message.status == "sent"


def test_the_sweep_gives_a_whole_omnimessage_the_reports_of_its_channels() -> None:
    omni("viber-id", "UNDELIV")
    message = SmsMessageFactory.create(sms_unique_id=None, omnimessage_id="an-omni-id")
    assert receiving.match_orphans() == 1
    message.refresh_from_db()
    assert message.status == "failed"


def test_orphans_of_an_omnimessage_are_matched() -> None:
    omni("viber-id", "SEEN")
    message = track_sms(omnimessage_id="an-omni-id", channel="viber")
    message.refresh_from_db()
    assert message.status == "seen"


def test_a_report_that_overtakes_the_answer_tells_its_id() -> None:
    message = prepare_sms(NUMBER)
    assert simulate_callback(message, "ACCEPTD", sms_unique_id="an-id").status_code == 200
    message.refresh_from_db()
    assert (message.sms_unique_id, message.status) == ("an-id", "sent")
    mark_sent(message, "an-id")
    assert message.sent_at is not None


def test_an_id_that_is_another_messages_is_not_adopted() -> None:
    SmsMessageFactory.create(sms_unique_id="an-id")
    message = prepare_sms(NUMBER)
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 403
    assert not DeliveryReport.objects.exists()


def test_an_id_that_became_known_meanwhile_is_not_replaced() -> None:
    """What is answered to sending and what a report tells come at the same time, and they differ."""

    def find_and_be_overtaken(address: Any, **options: Any) -> SmsMessage | None:
        found = lookup.find_message(address, **options)
        if message.sms_unique_id is None:
            mark_sent(message, "an-id")
        return found

    message = prepare_sms(NUMBER)
    with mock.patch("django_messente_dlr.receiving.record.find_message", find_and_be_overtaken):
        assert simulate_callback(message, "PONDERD", sms_unique_id="another-id").status_code == 403
    message.refresh_from_db()
    assert message.sms_unique_id == "an-id"
    assert not message.reports.exists()


def test_an_omnichannel_report_that_overtakes_the_answer_tells_the_omnimessage() -> None:
    message = prepare_sms(NUMBER)
    payload = {"message_id": "sms-id", "omnimessage_id": "an-omni-id", "status": "ACK", "err": None}
    assert simulate_omnichannel_callback(payload, url=message.callback_url).status_code == 200
    message.refresh_from_db()
    assert (message.sms_unique_id, message.omnimessage_id) == (None, "an-omni-id")
    assert mark_sent(message, "sms-id", omnimessage_id="an-omni-id").sms_unique_id == "sms-id"


def test_a_late_match_keeps_the_orphans_time(dlr_signals: SignalLog) -> None:
    orphan = report()
    received = orphan.received_at - timedelta(hours=1)
    DeliveryReport.objects.filter(pk=orphan.pk).update(received_at=received)
    tracked()
    orphan.refresh_from_db()
    assert orphan.received_at == received
