"""A client for an account: made from the settings once, and anew when they change."""

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


def asked(name: str = "default") -> PreparedRequest:
    """Ask for an account's balance, wherever its client asks, and return the request that was made."""
    with responses.RequestsMock() as messente:
        messente.add(responses.POST, ANYWHERE, "OK 1")
        client_for(name).get_balance()
        return messente.calls[0].request


def username(request: PreparedRequest) -> str:
    return parse_qs(str(request.body))["username"][0]


def test_a_client_speaks_for_its_account() -> None:
    assert username(asked("default")) == "shop"
    assert username(asked("marketing")) == "news"


def test_a_client_is_made_once_for_each_account() -> None:
    assert client_for("default") is client_for("default")
    assert client_for("default") is not client_for("marketing")


def test_an_unknown_account_has_no_client_until_it_is_configured(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="no account 'later'"):
        client_for("later")
    settings.MESSENTE_DLR = {"ACCOUNTS": {"later": {"USERNAME": "late", "PASSWORD": "x"}}}
    assert username(asked("later")) == "late"


def test_messentes_own_hosts_are_asked_unless_the_settings_say_otherwise() -> None:
    with override_settings(MESSENTE_DLR=ACCOUNT):
        assert asked().url == "https://api2.messente.com/get_balance/"
    with override_settings(MESSENTE_DLR={**ACCOUNT, "API_HOSTS": ["http://127.0.0.1:8000"]}):
        assert asked().url == "http://127.0.0.1:8000/get_balance/"


def test_omnimessages_are_asked_about_where_the_settings_say() -> None:
    for written, base in (
        ({}, "https://api.messente.com/v1"),
        ({"OMNICHANNEL_URL": "http://127.0.0.1:8000/v1"}, "http://127.0.0.1:8000/v1"),
    ):
        with (
            override_settings(MESSENTE_DLR={**ACCOUNT, **written}),
            responses.RequestsMock() as messente,
        ):
            messente.add(responses.GET, f"{base}/omnimessage/1/status", json={"statuses": []})
            assert client_for("default").get_omnimessage_status("1") == []


def test_time_outs_are_those_of_the_settings() -> None:
    with override_settings(MESSENTE_DLR={**ACCOUNT, "CONNECT_TIMEOUT": 1, "READ_TIMEOUT": 2.5}):
        assert asked().req_kwargs["timeout"] == (1, 2.5)  # type: ignore[attr-defined]


def test_a_client_follows_the_settings_at_once_and_back() -> None:
    before = client_for("default")
    with override_settings(MESSENTE_DLR={"USERNAME": "other", "PASSWORD": "x"}):
        assert username(asked()) == "other"
    assert username(asked()) == "shop"
    assert client_for("default") is not before


def test_other_settings_do_not_end_its_connections() -> None:
    before = client_for("default")
    with override_settings(LANGUAGE_CODE="et"):
        assert client_for("default") is before
