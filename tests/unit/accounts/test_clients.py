"""The client of an account is created from the settings once, and again when they change."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from requests import PreparedRequest

from django_messente_dlr.accounts.clients import client_for

ACCOUNT = {"USERNAME": "shop", "PASSWORD": "a-password"}
ANYWHERE = re.compile(r"^https?://")


def balance_request(name: str = "default") -> PreparedRequest:
    """Request the balance of an account from any host, and return the request."""
    with responses.RequestsMock() as messente:
        messente.add(responses.POST, ANYWHERE, "OK 1")
        client_for(name).get_balance()
        return messente.calls[0].request


def username(request: PreparedRequest) -> str:
    return parse_qs(str(request.body))["username"][0]


def test_client_for__credentials_of_the_account() -> None:
    assert username(balance_request("default")) == "shop"
    assert username(balance_request("marketing")) == "news"


def test_client_for__one_client_per_account() -> None:
    assert client_for("default") is client_for("default")
    assert client_for("default") is not client_for("marketing")


def test_client_for__unknown_account(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="no account 'later'"):
        client_for("later")
    settings.MESSENTE_DLR = {"ACCOUNTS": {"later": {"USERNAME": "late", "PASSWORD": "x"}}}
    assert username(balance_request("later")) == "late"


def test_client_for__api_hosts() -> None:
    with override_settings(MESSENTE_DLR=ACCOUNT):
        assert balance_request().url == "https://api2.messente.com/get_balance/"
    with override_settings(MESSENTE_DLR={**ACCOUNT, "API_HOSTS": ["http://127.0.0.1:8000"]}):
        assert balance_request().url == "http://127.0.0.1:8000/get_balance/"


def test_client_for__omnichannel_url() -> None:
    for config, base in (
        ({}, "https://api.messente.com/v1"),
        ({"OMNICHANNEL_URL": "http://127.0.0.1:8000/v1"}, "http://127.0.0.1:8000/v1"),
    ):
        with (
            override_settings(MESSENTE_DLR={**ACCOUNT, **config}),
            responses.RequestsMock() as messente,
        ):
            messente.add(responses.GET, f"{base}/omnimessage/1/status", json={"statuses": []})
            assert client_for("default").get_omnimessage_status("1") == []


def test_client_for__timeouts() -> None:
    with override_settings(MESSENTE_DLR={**ACCOUNT, "CONNECT_TIMEOUT": 1, "READ_TIMEOUT": 2.5}):
        assert balance_request().req_kwargs["timeout"] == (1, 2.5)  # type: ignore[attr-defined]


def test_client_for__settings_change() -> None:
    before = client_for("default")
    with override_settings(MESSENTE_DLR={"USERNAME": "other", "PASSWORD": "x"}):
        assert username(balance_request()) == "other"
    assert username(balance_request()) == "shop"
    assert client_for("default") is not before


def test_client_for__other_settings_change() -> None:
    before = client_for("default")
    with override_settings(LANGUAGE_CODE="et"):
        assert client_for("default") is before
