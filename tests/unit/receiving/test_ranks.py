"""Each status against each other one: a status replaces those of a lower rank only, by every way of recording it."""

from __future__ import annotations

import itertools

import pytest

from django_messente_dlr import receiving
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)

# From the lowest rank to the highest.
ORDER = ["queued", "sent", "unresolved", "failed", "rejected", "cancelled", "delivered", "seen"]
REPORTS = {
    "sent": ("ACCEPTD", ""),
    "failed": ("UNDELIV", "1"),
    "rejected": ("REJECTD", "7"),
    "delivered": ("DELIVRD", "0"),
    "seen": ("SEEN", "10"),
}
# The signals of a status, without those that accompany each change.
SIGNALS = {
    "unresolved": "dlr_unresolved",
    "failed": "dlr_failed",
    "rejected": "dlr_failed",
    "cancelled": "dlr_cancelled",
    "delivered": "dlr_delivered",
    "seen": "dlr_seen",
}
FAILURES, DELIVERIES = {"failed", "rejected"}, {"delivered", "seen"}


def test_order__is_that_of_the_ranks() -> None:
    assert sorted(Status.values, key=lambda value: Status(value).rank) == ORDER


@pytest.mark.usefixtures("each_path")
@pytest.mark.parametrize(("before", "after"), list(itertools.product(ORDER, ORDER[1:])))
def test_record__each_pair_of_statuses(before: str, after: str, dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(status=Status(before))
    if after in REPORTS:
        assert simulate_callback(message, *REPORTS[after]).status_code == 200
    else:
        source = Source.CANCEL if after == "cancelled" else Source.POLL
        receiving.record_final(message, Report(source=source), Status(after))
    rises = ORDER.index(after) > ORDER.index(before)
    row = SmsMessage.objects.get()
    assert row.status == (after if rises else before)
    assert row.rank == Status(row.status).rank
    expected = set()
    if rises:
        expected = {SIGNALS.get(after, "")} - {""}
        if before in FAILURES:
            expected -= {"dlr_failed"}
        if after == "seen" and before not in DELIVERIES:
            expected |= {"dlr_delivered"}
    assert set(dlr_signals.names) & set(SIGNALS.values()) == expected
    assert ("dlr_status_changed" in dlr_signals.names) is rises
