"""Tests without HTTP: `OutboxMixin` collects the messages that a project sends in the list `outbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import override_settings

from django_messente_dlr.backends.locmem import outbox

if TYPE_CHECKING:
    from django.test import SimpleTestCase as _TestCase
else:
    _TestCase = object

LOCMEM = "django_messente_dlr.backends.locmem.Backend"


def locmem_settings() -> dict[str, Any]:
    """Return ``MESSENTE_DLR`` with the backend that keeps messages in `outbox`.

    Without an account of the project, a test account is added: every message belongs to an account.
    """
    values: dict[str, Any] = {**getattr(settings, "MESSENTE_DLR", {}), "BACKEND": LOCMEM}
    if not values.get("ACCOUNTS") and not values.get("USERNAME"):
        values |= {"USERNAME": "test", "PASSWORD": "test-password"}
    return values


class OutboxMixin(_TestCase):
    """A mixin for test cases, before `django.test.TestCase`: nothing is sent, and `outbox` is empty in each test."""

    @classmethod
    def setUpClass(cls) -> None:
        # Before the test case's own, whose setUpTestData may send messages.
        cls.enterClassContext(override_settings(MESSENTE_DLR=locmem_settings()))
        super().setUpClass()

    def setUp(self) -> None:
        outbox.clear()
        super().setUp()
