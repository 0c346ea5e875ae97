"""Skip the tests of a folder whose programs are not installed."""

from __future__ import annotations

import os

import pytest


def skip_folder(items: list[pytest.Item], folder: str, *, variable: str, reason: str) -> None:
    """Skip the tests of a folder, but not in the tox environment for them: there, a missing program is an error.

    Args:
        items: all tests.
        folder: the name of the folder.
        variable: the environment variable that the tox environment sets.
        reason: what the tests need.
    """
    if variable in os.environ:
        return
    skip = pytest.mark.skip(reason=reason)
    for item in items:
        if folder in item.path.parts:
            item.add_marker(skip)
