"""The admin in a real browser, with the database that the demo of the example project creates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browser.conftest import Visitor
from tests.e2e.browser.shop import Shop

Visit = Callable[..., Visitor]

PAGES = [
    "",
    "smsmessage/",
    "smsmessage/?status=failed",
    "smsmessage/?q=%2B372+555+00007",
    "smsmessage/7/change/",
    "smsmessage/7/history/",
    "deliveryreport/",
    "deliveryreport/?outcome=orphan",
    "deliveryreport/1/change/",
    "account/",
    "account/1/change/",
    "messagestatistics/",
    "messagestatistics/?window=7d",
    "messagestatistics/?window=30d",
]


def run_action(visitor: Visitor, action: str, recipient: str) -> None:
    """Select a message in the list by its recipient, and run an action on it."""
    visitor.open(f"smsmessage/?q={recipient.replace('+', '%2B')}")
    visitor.page.check("#result_list tbody tr:first-child input.action-select")
    visitor.page.select_option("select[name=action]", action)
    visitor.page.click("button[name=index]")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_pages__accessible_under_strict_policy(visit: Visit, width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    for path in PAGES:
        visitor.open(path)
        visitor.check()


@pytest.mark.parametrize("language", ["et", "ru", "lv", "de", "fr"])
def test_pages__translated_texts_fit(visit: Visit, language: str) -> None:
    visitor = visit(400, language=language)
    for path in ("smsmessage/", "smsmessage/7/change/", "messagestatistics/"):
        visitor.open(path)
        assert visitor.page.get_attribute("html", "lang") == language
        visitor.check_width()


@pytest.mark.parametrize("language", ["en", "et", "ru", "lv", "de", "fr"])
def test_tables__not_cut_off(visit: Visit, language: str) -> None:
    lists = ["smsmessage/", "deliveryreport/", "account/"]
    wide = [*lists, "messagestatistics/", "messagestatistics/?window=7d"]
    narrow = [*lists, "messagestatistics/?window=30d"]
    for width, paths in {1200: ["deliveryreport/"], 1280: wide, 400: narrow}.items():
        visitor = visit(width, language=language)
        for path in paths:
            visitor.open(path)
            hidden = "element => element.scrollWidth - element.clientWidth"
            tables = visitor.page.locator(".results, .messente-dlr-scroll").locator("visible=true")
            assert tables.count() > 0
            for index in range(tables.count()):
                assert tables.nth(index).evaluate(hidden) <= 0, visitor.page.url


@pytest.mark.parametrize("action", ["resend", "cancel", "erase"])
def test_confirmation__every_column_on_a_narrow_screen(visit: Visit, action: str) -> None:
    visitor = visit(400)
    run_action(visitor, action, "+37255500004")
    cells = visitor.page.locator("#content-main tbody td")
    cells.first.wait_for()
    assert cells.count() == 5
    for index in range(5):
        box = cells.nth(index).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        label = "element => getComputedStyle(element, '::before').content"
        assert cells.nth(index).evaluate(label).strip('"')
    visitor.check()


@pytest.mark.parametrize("path", ["smsmessage/2/change/", "account/1/change/", "deliveryreport/1/change/"])
def test_pages__one_primary_button(visit: Visit, path: str) -> None:
    visitor = visit()
    visitor.open(path)
    assert visitor.page.locator(".messente-dlr-button:not(.messente-dlr-secondary)").count() == 1


def test_message_page__every_status(visit: Visit, shop: Shop) -> None:
    visitor = visit(400)
    keys = shop.execute("SELECT MIN(id) FROM django_messente_dlr_smsmessage GROUP BY status, err IS NULL")
    assert len(keys) > 5
    for (pk,) in keys:
        visitor.open(f"smsmessage/{pk}/change/")
        assert visitor.page.locator(".messente-dlr-timeline > li").count() >= 1
        visitor.check()


def test_search__number_formats(visit: Visit) -> None:
    visitor = visit()
    for number in ("00 372 5550-0007", "37255500007", "+372 5550 0007"):
        visitor.open("smsmessage/")
        visitor.page.fill("#searchbar", number)
        visitor.page.press("#searchbar", "Enter")
        visitor.page.wait_for_url("**q=**")
        assert visitor.page.locator("#result_list tbody tr").count() == 1
        assert "Sender name not allowed" in visitor.page.inner_text("#result_list")


def test_message_list__keyboard_only(visit: Visit) -> None:
    visitor = visit()
    visitor.open("smsmessage/?cause=7")
    # The newest message has the same cause from the response to sending.
    link = visitor.page.locator("#result_list tbody th a").last
    link.focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector(".messente-dlr-answer")
    assert "Verify the sender name with Messente" in visitor.page.inner_text(".messente-dlr-answer")
    summary = visitor.page.locator(".messente-dlr-timeline summary").first
    summary.focus()
    visitor.page.keyboard.press("Enter")
    assert "REJECTD" in visitor.page.inner_text(".messente-dlr-timeline details[open] pre")


def test_statistics__chart_matches_table(visit: Visit) -> None:
    visitor = visit()
    visitor.open("messagestatistics/")
    page = visitor.page
    bars = page.locator(".messente-dlr-plot rect")
    assert bars.count() > 2
    fills = {bars.nth(index).evaluate("rect => getComputedStyle(rect).fill") for index in range(bars.count())}
    assert len(fills) > 2
    page.click("#messente-dlr-volume ~ div summary")
    numbers = page.locator("#messente-dlr-volume ~ div tbody td:last-child").all_inner_texts()
    assert str(sum(int(number) for number in numbers)) == page.locator(".messente-dlr-cards dd").first.inner_text()


def test_poll_now__one_result_per_message(visit: Visit) -> None:
    visitor = visit()
    visitor.open("smsmessage/?status=pending")
    count = visitor.page.locator("#result_list tbody tr").count()
    visitor.page.check("#action-toggle")
    visitor.page.select_option("select[name=action]", "poll_now")
    visitor.page.click("button[name=index]")
    visitor.page.wait_for_selector("h1:has-text('Poll results')")
    visitor.page.wait_for_load_state()  # the heading is rendered before the last row
    assert visitor.page.locator("#content-main tbody tr").count() == count > 0
    visitor.check()


def test_resend__confirms_and_sends_once(visit: Visit, shop: Shop) -> None:
    count = "SELECT COUNT(*) FROM django_messente_dlr_smsmessage"
    before = shop.execute(count)[0][0]
    visitor = visit()
    run_action(visitor, "resend", "+37255500999")
    visitor.page.wait_for_selector("text=Messente charges for it.")
    visitor.check()
    assert shop.execute(count)[0][0] == before
    form = visitor.page.evaluate(
        "new URLSearchParams(new FormData(document.querySelector('#content-main form'))).toString()"
    )
    visitor.page.click("text=Yes, send")
    visitor.page.wait_for_selector("h1:has-text('Sent again')")
    visitor.check()
    assert shop.execute(count)[0][0] == int(str(before)) + 1
    again = """form => fetch(location.href, {
        method: "POST", body: form, headers: {"Content-Type": "application/x-www-form-urlencoded"},
    }).then(response => response.text())"""
    assert "The message was already sent again." in visitor.page.evaluate(again, form)
    assert shop.execute(count)[0][0] == int(str(before)) + 1


def test_export__downloads_csv(visit: Visit) -> None:
    visitor = visit()
    with visitor.page.expect_download() as download:
        run_action(visitor, "export", "+37255500007")
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert download.value.suggested_filename.endswith(".csv")
    assert re.search(r"'\+37255500007,.*,rejected,REJECTD,7,Sender name not allowed", text)


def test_send_signals_again__reports_count(visit: Visit) -> None:
    visitor = visit()
    visitor.open("deliveryreport/")
    visitor.page.check("#result_list tbody tr:first-child input.action-select")
    visitor.page.select_option("select[name=action]", "send_signals_again")
    visitor.page.click("button[name=index]")
    visitor.page.wait_for_selector("text=The signals of 1 report were sent again.")
    visitor.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_credit_hold__shown_until_lifted(visit: Visit, shop: Shop, scheme: str) -> None:
    shop.execute("UPDATE django_messente_dlr_account SET credits_exhausted_at = '2026-01-01 00:00:00'")
    visitor = visit(400 if scheme == "dark" else 1280, scheme)
    for path in ("", "messagestatistics/", "smsmessage/", "account/1/change/"):
        visitor.open(path)
        assert "“default” is out of credits." in visitor.page.inner_text(".messente-dlr-outage")
        visitor.check()
    visitor.open("account/")
    visitor.page.check("#result_list tbody tr:first-child input.action-select")
    visitor.page.select_option("select[name=action]", "lift_credit_hold")
    visitor.page.click("button[name=index]")
    visitor.page.wait_for_selector("text=is lifted")
    assert visitor.page.locator(".messente-dlr-outage").count() == 0


def test_message_list__older_and_newer_page(visit: Visit, shop: Shop) -> None:
    columns: Any = (
        "account, recipient, sender, text, channel, status, rank, stat, error_text, metadata, created_at, poll_count"
    )
    shop.execute(
        f"INSERT INTO django_messente_dlr_smsmessage (omnimessage_id, {columns}) "
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) "
        f"SELECT 'copy-' || i, {columns} FROM n, "
        f"(SELECT {columns} FROM django_messente_dlr_smsmessage ORDER BY id LIMIT 1)"
    )
    visitor = visit(400)
    visitor.open("smsmessage/")
    visitor.page.click("text=Older")
    visitor.page.wait_for_url("**p=older-**")
    visitor.check()
    visitor.page.click("text=Newer")
    visitor.page.wait_for_url("**p=newer-**")
    assert visitor.page.locator("#result_list tbody tr").count() == 100
