"""Write the screenshots of the documentation, with a month of messages.

``python -m tests.e2e.browser.screenshots docs/images`` runs it.
"""

from __future__ import annotations

import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from tests.e2e.browser.conftest import CHROMIUM
from tests.e2e.browser.shop import PASSWORD, USER, Shop, open_shop

SCREENSHOTS: list[tuple[str, str, int, int, Literal["light", "dark"]]] = [
    ("admin-overview", "messagestatistics/?window=30d", 1200, 940, "light"),
    ("admin-overview-dark", "messagestatistics/?window=7d", 1200, 940, "dark"),
    ("admin-list", "smsmessage/?age=hour", 1200, 760, "light"),
    ("admin-message", "smsmessage/7/change/", 1200, 760, "light"),
    ("admin-narrow", "messagestatistics/?window=24h", 400, 900, "light"),
    ("admin-narrow-list", "smsmessage/?age=hour", 400, 900, "dark"),
]


def insert_messages(shop: Shop) -> None:
    """Insert a month of messages with every final status, older than the messages of the demo."""
    generator = random.Random(7)
    now = datetime.now(UTC).replace(tzinfo=None)
    for _number in range(6000):
        age = timedelta(minutes=5 + 43_000 * generator.random())
        if generator.random() > 0.35 + 0.6 * (7 <= (now - age).hour <= 19):
            continue
        status, rank, err = generator.choices(
            [("delivered", 50, None), ("seen", 60, None), ("failed", 30, 1), ("failed", 30, 2), ("rejected", 40, 7)],
            [85, 5, 5, 2, 1],
        )[0]
        at = now - age
        shop.execute(
            "INSERT INTO django_messente_dlr_smsmessage (omnimessage_id, account, recipient, sender, text, channel, "
            "status, rank, stat, err, error_text, metadata, created_at, sent_at, finalised_at, poll_count) "
            "VALUES ('', 'default', ?, 'Shop', '', 'sms', ?, ?, '', ?, '', '{}', ?, ?, ?, 0)",
            f"{generator.choice(['+372', '+372', '+371', '+358'])}5{generator.randrange(10**7):07}",
            *(status, rank, err, at.isoformat(" "), at.isoformat(" ")),
            (at + timedelta(seconds=generator.lognormvariate(1.5, 1))).isoformat(" "),
        )


def main(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as work, open_shop(Path(work)) as shop, sync_playwright() as playwright:
        insert_messages(shop)
        # The demo updated the statistics before these messages were inserted.
        shop.execute("DELETE FROM django_messente_dlr_messagestatistics")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path, width, height, scheme in SCREENSHOTS:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{shop.url}/admin/")
            page.fill("#id_username", USER)
            page.fill("#id_password", PASSWORD)
            page.click("[type=submit]")
            page.goto(f"{shop.url}/admin/django_messente_dlr/messagestatistics/")
            for _ in range(4):  # one run counts only a part of a month
                page.click("text=Refresh")
            page.goto(f"{shop.url}/admin/django_messente_dlr/{path}")
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
