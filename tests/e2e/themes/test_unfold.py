"""The pages of the admin in Chromium, with the theme django-unfold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.browser.shop import PASSWORD, USER

SETTINGS = "tests.e2e.themes.unfold_settings"
ADMIN = "/admin/django_messente_dlr"


@pytest.fixture(autouse=True)
def _log_in(page: Any) -> None:
    page.goto("/admin/")
    page.fill("#id_username", USER)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_selector("text=Messente delivery reports")


def test_message_page__cause_timeline_and_buttons(page: Any) -> None:
    page.goto(f"{ADMIN}/smsmessage/7/change/")
    text = page.inner_text("main, #main")
    for words in ("Cause: Sender name not allowed", "What to do: Verify the sender name", "What happened", "REJECTD"):
        assert words in text
    page.click("text=Send again …")
    page.wait_for_selector("text=Messente charges for it.")
    assert page.locator("text=Yes, send").is_visible()


def test_message_page__poll_now(page: Any) -> None:
    page.goto(f"{ADMIN}/smsmessage/?status=sent")
    page.click("#result_list tbody tr:first-child th a, #result_list tbody tr:first-child a[href*=change]")
    page.click("text=Poll now")
    page.wait_for_selector("text=Back to the messages")


def test_report_page__signals_sent_again(page: Any) -> None:
    page.goto(f"{ADMIN}/deliveryreport/1/change/")
    page.click("text=Send the signals again")
    page.wait_for_selector("text=The signals of 1 report were sent again.")


def test_report_list__links_to_filters(page: Any) -> None:
    page.goto(f"{ADMIN}/deliveryreport/")
    page.click(".messente-dlr-chips a:has-text('A receiver failed')")
    page.wait_for_url("**signals=failed**")


def test_overview__cards_and_button(page: Any) -> None:
    page.goto(f"{ADMIN}/messagestatistics/")
    assert page.locator(".messente-dlr-cards dd").first.is_visible()
    page.click("text=Refresh")
    page.wait_for_load_state()
    assert page.locator(".messente-dlr-cards dd").first.is_visible()
