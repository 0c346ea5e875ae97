from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from django_messente_dlr import signals
from django_messente_dlr.admin import reports as page
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.testing.factories import DeliveryReportFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.forms import Forms
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, admin_messages, html, list_url, listed, page_url

pytestmark = pytest.mark.django_db

ACTION = "send_signals_again"


@pytest.fixture
def failing() -> Iterator[set[int]]:
    """Return a set: a receiver raises KeyError for the reports whose primary keys are in it."""
    failing: set[int] = set()

    def on_dlr(sender: Any, report: DeliveryReport, **kwargs: Any) -> None:
        if report.pk in failing:
            raise KeyError("order")

    signals.dlr_received.connect(on_dlr)
    yield failing
    signals.dlr_received.disconnect(on_dlr)


def test_send_signals_again__report_order(admin_client: Client, dlr_signals: SignalLog) -> None:
    first = DeliveryReportFactory.create(signals=["dlr_received", "dlr_delivered"])
    second = DeliveryReportFactory.create(message=None)
    DeliveryReportFactory.create()
    response = act(admin_client, ACTION, second, first)
    assert response.status_code == 302
    assert admin_messages(response) == [("success", "The signals of 2 reports were sent again.")]
    assert dlr_signals.names == ["dlr_received", "dlr_delivered", "dlr_received"]
    assert [arguments["report"] for _, arguments in dlr_signals] == [first, first, second]


def test_send_signals_again__undispatched_report(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(dispatched_at=None, dispatch_due_at=timezone.now())
    assert admin_messages(act(admin_client, ACTION, report)) == [
        ("success", "The signals of 1 report were sent again.")
    ]
    assert listed(admin_client, DeliveryReport, signals="sent") == [report]


def test_send_signals_again__lists_failed_reports(admin_client: Client, failing: set[int]) -> None:
    dispatched = DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError: 'order'")
    failed = DeliveryReportFactory.create(sms_unique_id="abc123")
    failing.add(failed.pk)
    assert admin_messages(act(admin_client, ACTION, dispatched, failed)) == [
        ("success", "The signals of 1 report were sent again."),
        ("error", "A receiver failed for 1 report: DELIVRD (abc123). See its page or the log for the error."),
    ]
    assert listed(admin_client, DeliveryReport, signals="failed") == [failed]
    assert "KeyError" in html(admin_client, page_url(failed))


def test_send_signals_again__truncates_failed_reports(admin_client: Client, failing: set[int]) -> None:
    reports = DeliveryReportFactory.create_batch(12)
    failing.update(report.pk for report in reports)
    [(level, text)] = admin_messages(act(admin_client, ACTION, *reports))
    assert level == "error"
    assert text.startswith("Receivers failed for 12 reports: ")
    assert text.endswith(" …. See their pages or the log for the errors.")
    assert text.count("DELIVRD") == 10


def test_send_signals_again__unknown_signal(
    admin_client: Client, dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture
) -> None:
    failed = DeliveryReportFactory.create(signals=["dlr_of_a_version_to_come"])
    DeliveryReportFactory.create()
    with caplog.at_level(logging.ERROR, "django_messente_dlr"):
        response = act(admin_client, ACTION, *DeliveryReport.objects.all())
    assert [level for level, _ in admin_messages(response)] == ["success", "error"]
    assert dlr_signals.names == ["dlr_received"]
    assert f"The signals of delivery report {failed.pk} could not be sent again." in caplog.messages


def test_send_signals_again__history(admin_client: Client, failing: set[int]) -> None:
    report = DeliveryReportFactory.create()
    act(admin_client, ACTION, report)
    failing.add(report.pk)
    act(admin_client, ACTION, report)
    history = html(admin_client, page_url(report, "history"))
    assert "Sent the signals again." in history
    assert "Sent the signals again; a receiver failed." in history


def test_send_signals_again__all_pages_selected(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_SELECTED", 3)
    first, *_ = DeliveryReportFactory.create_batch(3)
    response = act(admin_client, ACTION, first, select_across="1")
    assert admin_messages(response) == [("success", "The signals of 3 reports were sent again.")]


def test_send_signals_again__too_many_selected(
    admin_client: Client, dlr_signals: SignalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_SELECTED", 3)
    first, *_ = DeliveryReportFactory.create_batch(4)
    response = act(admin_client, ACTION, first, select_across="1")
    assert admin_messages(response) == [("error", "Choose at most 3 reports at a time. Nothing was sent.")]
    assert dlr_signals == []


def test_send_signals_again__get_request(admin_client: Client, dlr_signals: SignalLog) -> None:
    report = DeliveryReportFactory.create()
    admin_client.get(list_url(DeliveryReport), {"action": ACTION, "_selected_action": str(report.pk), "index": "0"})
    assert dlr_signals == []


@pytest.mark.django_db(transaction=True)
def test_send_signals_again__atomic_requests(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    in_transaction = []

    def on_dlr(sender: Any, **kwargs: Any) -> None:
        in_transaction.append(connection.in_atomic_block)

    signals.dlr_received.connect(on_dlr)
    try:
        act(admin_client, ACTION, DeliveryReportFactory.create())
    finally:
        signals.dlr_received.disconnect(on_dlr)
    assert in_transaction == [False]


def test_send_signals_again__buttons(staff: Staff, dlr_signals: SignalLog) -> None:
    report = DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError: 'order'")
    buttons = {
        page_url(report): "send_signals_again",
        page_url(report.message): str(report.pk),
    }
    viewer = staff("view_deliveryreport", "view_smsmessage")
    editor = staff("change_deliveryreport", "view_smsmessage")
    for url, button in buttons.items():
        assert button not in Forms(html(viewer, url)).buttons
        assert "send_signals_again" not in html(viewer, url)
        assert button in Forms(html(editor, url)).buttons
    act(editor, ACTION, report)
    assert dlr_signals.names == ["dlr_received"]
    # The page of a message has the button only while signals are due or a receiver failed.
    assert Forms(html(editor, page_url(report.message))).buttons == {}
    assert "send_signals_again" in Forms(html(editor, page_url(report))).buttons


def test_send_signals_again__from_message_page(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError: 'order'")
    DeliveryReportFactory.create()
    forms = Forms(html(admin_client, page_url(report.message)))
    form = forms.buttons[str(report.pk)]
    data = {**forms.inputs[form], "_selected_action": report.pk}
    response = admin_client.post(forms.actions[form], data, follow=True)
    assert list(response.context["cl"].result_list) == [report]
    report.refresh_from_db()
    assert not report.dispatch_error
