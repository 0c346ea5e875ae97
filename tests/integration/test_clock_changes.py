"""Periods last as long as they should when the clocks are changed, also in a project without USE_TZ.

Such a project stores local times. In Tallinn, 02:59 is followed by 04:00 in March, and 03:59 by 03:00 in October.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.doctor.checks.records import check_records
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import mark_sent, prepare_sms, send_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

ZONE = ZoneInfo("Europe/Tallinn")
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
VALIDITY = 6 * HOUR  # of an SMS that is sent without one


class Clock:
    """The time that `timezone.now` returns, around a change of the clocks.

    Attributes:
        change: when the clocks are changed.
        is_exact: whether each time has its own form in the database. A local time of the hour that occurs twice may
            be taken as an hour later than it is.
    """

    def __init__(self, change: datetime, settings: Any) -> None:
        self.change = self.moment = change
        self._settings = settings
        self.is_exact = settings.USE_TZ or change == SPRING

    def set(self, after_change: timedelta) -> None:
        self.moment = self.change + after_change

    def now(self) -> datetime:
        return self.moment if self._settings.USE_TZ else self.moment.astimezone(ZONE).replace(tzinfo=None)

    def since_change(self, moment: datetime | None) -> timedelta:
        """Return the time from the change to a time that was read from a row."""
        assert moment is not None
        assert timezone.is_aware(moment) is self._settings.USE_TZ
        return (moment if timezone.is_aware(moment) else moment.replace(tzinfo=ZONE)).astimezone(UTC) - self.change


@pytest.fixture(params=[False, True], ids=["naive", "aware"])
def use_tz(request: pytest.FixtureRequest, settings: Any) -> None:
    settings.USE_TZ = request.param


@pytest.fixture(params=[SPRING, AUTUMN], ids=["spring", "autumn"])
def clock(request: pytest.FixtureRequest, settings: Any, use_tz: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(request.param, settings)
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


def test_report_expires_at__is_48_hours_after_the_validity(clock: Clock) -> None:
    clock.set(-24 * HOUR)
    message = mark_sent(prepare_sms("+37255500000"), "an-id")
    assert clock.since_change(message.report_expires_at) == -24 * HOUR + VALIDITY + 48 * HOUR
    assert clock.since_change(message.next_poll_at) == -24 * HOUR + 10 * MINUTE


def test_poller__marks_a_message_unresolved_48_hours_after_the_validity(clock: Clock) -> None:
    clock.set(-24 * HOUR)
    message = SmsMessageFactory.create(queued=True, next_poll_at=timezone.now())
    end = VALIDITY + 48 * HOUR
    for after_sending, status in ((end - MINUTE, "queued"), (end + MINUTE, "unresolved")):
        clock.set(-24 * HOUR + after_sending)
        Poller().run(sweeping=False)
        message.refresh_from_db()
        assert message.status == status


def test_poller__polls_until_5_minutes_before_the_end(
    clock: Clock, settings: Any, messente_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": "https://shop.example.com"}
    clock.set(-24 * HOUR)
    message = track_sms("an-id-that-the-sandbox-does-not-know")
    end = -24 * HOUR + VALIDITY + 48 * HOUR
    for elapsed in range(0, 6 + 24 * 2, 1):
        clock.set(-24 * HOUR + elapsed * HOUR)
        Poller().run(sweeping=False)
    assert clock.since_change(SmsMessage.objects.get(pk=message.pk).next_poll_at) == end - 5 * MINUTE


@pytest.mark.parametrize("row", ["first poll", "claim of a poll", "claim of a dispatch", "dispatch"])
def test_due_time__is_never_early(clock: Clock, row: str) -> None:
    """Two minutes before the change, a row is due in five minutes: three minutes after the change."""
    clock.set(-2 * MINUTE)
    now, lease = timezone.now(), 5 * MINUTE
    message = SmsMessageFactory.create(queued=True, next_poll_at=now, created_at=now)
    report = DeliveryReportFactory.create(message=message, dispatch_due_at=now, dispatched_at=None, received_at=now)
    if row == "claim of a poll":
        assert PendingPoll.objects.claim(1, now=now, lease=lease) == [message]
    elif row == "claim of a dispatch":
        assert DeliveryReport.objects.claim_dispatch(1, now=now, lease=lease) == [report]
    elif row == "dispatch":
        lease = dispatch.DISPATCH_LEASE
        DeliveryReport.objects.update(**dispatch.dispatch_fields(now=now, has_receivers=True))
    else:
        lease = 10 * MINUTE
        mark_sent(SmsMessage.objects.get(), "an-id")
    rows = SmsMessage.objects.due if "poll" in row else DeliveryReport.objects.dispatch_due
    late = timedelta(0) if clock.is_exact else HOUR
    for elapsed, is_due in ((MINUTE, False), (lease - MINUTE, False), (lease + late + MINUTE, True)):
        clock.set(-2 * MINUTE + elapsed)
        assert rows(timezone.now()).exists() is is_due, elapsed


def test_poller__long_run_claims_for_the_time_of_a_lease(clock: Clock) -> None:
    """The run begins before the change, and claims after it what was due at its beginning."""
    clock.set(-10 * MINUTE)
    started = timezone.now()
    prepare_sms("+37255500000")
    PendingPoll.objects.update(due_at=started)
    clock.set(10 * MINUTE)
    dispatched = DeliveryReportFactory.create(message=None, dispatched_at=None, dispatch_due_at=started)
    claims = PendingPoll.objects.claim(1, now=started, lease=20 * MINUTE + 5 * MINUTE)
    assert [clock.since_change(message.next_poll_at) for message in claims] == [
        15 * MINUTE + (timedelta(0) if clock.is_exact else HOUR)
    ]
    dispatch.dispatch_overdue(started)
    dispatched.refresh_from_db()
    assert dispatched.dispatch_due_at is None


SENT_AT = {
    "UTC": lambda moment: moment,
    "another zone": lambda moment: moment.astimezone(ZoneInfo("America/New_York")),
    "its own zone": lambda moment: moment.astimezone(ZONE),
    "naive": lambda moment: moment.astimezone(ZONE).replace(tzinfo=None),
}


@pytest.mark.parametrize("form", SENT_AT)
@pytest.mark.parametrize("minutes", [-24 * 60, -3, 24 * 60])
def test_sent_at__may_be_aware_or_local(clock: Clock, form: str, minutes: int) -> None:
    sent_at = SENT_AT[form](clock.change + minutes * MINUTE)
    for message in (
        mark_sent(prepare_sms("+37255500000"), "an-id", sent_at=sent_at),
        track_sms("another-id", sent_at=sent_at),
    ):
        # 03:57 occurs twice in October. PostgreSQL takes it as the second, the others as the first.
        late = HOUR if minutes == -3 and not clock.is_exact else timedelta(0)
        assert clock.since_change(message.sent_at) - minutes * MINUTE in {timedelta(0), late}
        assert clock.since_change(message.next_poll_at) == (minutes + 10) * MINUTE + late


def test_send_sms__scheduled_across_the_change(clock: Clock, messente_sandbox: Sandbox) -> None:
    clock.set(-2 * HOUR)
    at = clock.change + 2 * HOUR
    message = send_sms("+37255500000", "Hello", send_at=at)
    assert clock.since_change(message.sent_at) == 2 * HOUR


def test_last_callback_at__is_updated_once_a_minute(clock: Clock) -> None:
    clock.set(-MINUTE)
    message = mark_sent(prepare_sms("+37255500000"), "an-id")
    simulate_callback(message, "ACCEPTD")
    clock.set(30 * MINUTE)
    simulate_callback(message, "DELIVRD")
    assert Account.objects.get().last_callback_at == timezone.now()


def test_timeline__shows_the_time_that_has_passed(clock: Clock, admin_client: Client) -> None:
    clock.set(-2 * HOUR)
    message = mark_sent(prepare_sms("+37255500000"), "an-id")
    clock.set(2 * HOUR)
    simulate_callback(message, "DELIVRD")
    clock.set(4 * HOUR)
    page = (
        admin_client.get(f"/admin/django_messente_dlr/smsmessage/{message.pk}/change/")
        .content.decode()
        .replace("\xa0", " ")
    )
    assert "4 h 0 min after sending" in page
    assert "6 hours ago" in page
    assert "4 h 0 min" in admin_client.get("/admin/django_messente_dlr/smsmessage/").content.decode()
    assert "2 hours ago" in page


def test_doctor__account_was_polled_a_few_minutes_ago(clock: Clock) -> None:
    AccountFactory.create(last_poll_at=clock.now())
    assert "django_messente_dlr.doctor.D054" in {finding.id for finding in check_records()}
    clock.set(5 * MINUTE)
    assert "django_messente_dlr.doctor.D054" in {finding.id for finding in check_records()}
