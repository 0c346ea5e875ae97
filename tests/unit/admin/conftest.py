from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.unit.admin.pages import log_in

Staff = Callable[..., Client]


@pytest.fixture
def staff(db: None) -> Staff:
    """Return a function that logs in a staff user with only the permissions of the given codenames."""
    return log_in
