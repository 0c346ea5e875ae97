"""Start the example shop with a theme. Tests without the themes are skipped: use ``tox -e themes``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser.conftest import CHROMIUM
from tests.e2e.browser.shop import Shop, open_shop
from tests.e2e.requirements import skip_folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "needs chromium, Playwright, django-unfold and django-jazzmin: tox -e themes"
    skip_folder(items, "themes", variable="THEMES_REQUIRED", reason=reason)


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop with the settings module that the test module names in ``SETTINGS``."""
    folder: Path = tmp_path_factory.mktemp("shop")
    with open_shop(folder, request.module.SETTINGS) as running:
        yield running


@pytest.fixture
def page(shop: Shop) -> Iterator[Any]:
    """A page of a browser, 1,280 pixels wide."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 900}, base_url=shop.url)
        browser.close()
