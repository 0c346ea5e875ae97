"""The system check of ``DEFAULT_REGION``."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.checks import run_checks

from django_messente_dlr.checks import check_numbers

# The checks of the models ask the database what it supports.
pytestmark = pytest.mark.django_db
ACCOUNT = {"USERNAME": "shop", "PASSWORD": "a-secret-password"}


def errors_with(settings: Any, **values: Any) -> list[tuple[str, str]]:
    settings.MESSENTE_DLR = {**ACCOUNT, **values}
    messages = [message for message in run_checks() if message in check_numbers(None)]
    return [(str(message.id), f"{message.msg} {message.hint}") for message in messages]


def test_check_numbers__region_without_phonenumbers(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    ((id_, text),) = errors_with(settings, DEFAULT_REGION="EE")
    assert id_ == "django_messente_dlr.E030"
    assert 'pip install "django-messente-dlr[phonenumbers]"' in text


@pytest.mark.parametrize("region", ["XX", "UK"])
def test_check_numbers__unknown_region(settings: Any, region: str) -> None:
    pytest.importorskip("phonenumbers")
    ((id_, text),) = errors_with(settings, DEFAULT_REGION=region)
    assert id_ == "django_messente_dlr.E031"
    assert f"'{region}'" in text


def test_check_numbers__valid(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("phonenumbers")
    assert errors_with(settings, DEFAULT_REGION="gb") == []
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    assert errors_with(settings, DEFAULT_REGION="") == errors_with(settings) == []


def test_check_numbers__other_check_reports_an_invalid_value(settings: Any) -> None:
    assert errors_with(settings, DEFAULT_REGION=372) == []
