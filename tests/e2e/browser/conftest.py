"""Start a browser and the example shop. Tests without a browser and axe-core are skipped: use ``tox -e browser``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser.shop import PASSWORD, USER, Shop, open_shop
from tests.e2e.requirements import skip_folder

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
AXE = Path(os.environ.get("AXE_CORE", ""))
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "needs chromium, Playwright and axe-core: tox -e browser"
    skip_folder(items, "browser", variable="AXE_CORE", reason=reason)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cookies(chromium: Any, shop: Shop) -> Any:
    """Log in once, and return the cookies and storage of the browser."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{shop.url}/admin/")
    page.fill("#id_username", USER)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_selector("#user-tools")
    state = context.storage_state()
    context.close()
    return state


class Visitor:
    """A page of the browser, and the errors that the browser reports for it.

    Attributes:
        page: the Playwright page.
        url: the URL of the shop.
        errors: the messages of uncaught exceptions and of console errors.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._record_console)

    def _record_console(self, message: Any) -> None:
        if message.type == "error" and "favicon" not in str(message.location):
            self.errors.append(message.text)

    def open(self, path: str) -> None:
        """Open a page of the app's admin."""
        self.page.goto(f"{self.url}/admin/django_messente_dlr/{path}")

    def check(self) -> None:
        """Check that the page has no browser errors, no serious findings of axe-core and no horizontal overflow."""
        assert self.errors == [], self.page.url
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        result = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (violation["id"], [node["html"][:200] for node in violation["nodes"]][:3])
            for violation in result["violations"]
            if violation["impact"] in {"serious", "critical"}
        ]
        assert serious == [], self.page.url
        self.errors.clear()  # axe-core adds inline styles, which the policy blocks with a console error
        self.check_width()

    def check_width(self) -> None:
        """Check that the content is not wider than the page."""
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, self.page.url


@pytest.fixture
def visit(chromium: Any, cookies: Any, shop: Shop) -> Iterator[Any]:
    """Return a function that opens a logged-in browser page: (width, scheme, language) -> Visitor."""
    contexts = []

    def open_visitor(width: int = 1280, scheme: str = "light", language: str = "en") -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            locale=language,
            storage_state=cookies,
            accept_downloads=True,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.route(f"{shop.url}/admin/**", _add_policy)
        return Visitor(page, shop.url)

    yield open_visitor
    for context in contexts:
        context.close()


def _add_policy(route: Any) -> None:
    """Add a strict Content-Security-Policy to each page, as a project may do."""
    if route.request.resource_type != "document" or route.request.method != "GET":
        route.continue_()
        return
    response = route.fetch()
    route.fulfill(response=response, headers={**response.headers, "content-security-policy": POLICY})
