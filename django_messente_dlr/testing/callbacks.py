"""Send signed callbacks to the project under test, as Messente does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client

from django_messente_dlr import conf
from django_messente_dlr.callbacks import paths
from django_messente_dlr.messente import signatures
from django_messente_dlr.models import SmsMessage

__all__ = ["simulate_callback", "simulate_omnichannel_callback"]


def simulate_callback(
    message: SmsMessage, stat: str = "DELIVRD", err: str | int = "", **parameters: str
) -> HttpResponse:
    """Send a report about a message by GET, as the SMS API does with the message's callback URL.

    Signals are sent on commit. In a test that never commits, call this function inside
    ``django_capture_on_commit_callbacks(execute=True)``, or use a transactional test.

    Args:
        message: the message.
        stat: the status code, such as "DELIVRD".
        err: the error code.
        parameters: further parameters of the query string. They replace parameters of the same name.
    """
    query = {"sms_unique_id": message.sms_unique_id or "", "stat": stat, "err": str(err), **parameters}
    path = _path_within(message.callback_url)
    return Client(enforce_csrf_checks=True).get(path, query, secure=_is_secure())  # type: ignore[return-value]


def simulate_omnichannel_callback(
    payload: Mapping[str, Any], *, account: str = conf.DEFAULT_ACCOUNT, url: str = ""
) -> HttpResponse:
    """Send a report by POST, as the Omnichannel API does, signed with the account's password.

    Args:
        payload: the content of the callback's JSON.
        account: the name of the account whose password signs the callback.
        url: the callback URL of a message or of an account; "" for the account-wide webhook.
    """
    body = json.dumps(payload).encode()
    path = _path_within(url) if url else paths.webhook_path()
    return Client(enforce_csrf_checks=True).post(  # type: ignore[return-value]
        path,
        body,
        content_type="application/json",
        secure=_is_secure(),
        headers={signatures.HEADER: signatures.sign(body, conf.account(account).password)},
    )


def _path_within(url: str) -> str:
    """Return the path of a URL in the project's urlpatterns, without the path of ``CALLBACK_BASE_URL``."""
    return urlsplit(url).path.removeprefix(urlsplit(conf.get_config().callback_base_url).path.rstrip("/"))


def _is_secure() -> bool:
    """Return whether callbacks arrive by https. SECURE_SSL_REDIRECT redirects all others."""
    return conf.get_config().callback_base_url.lower().startswith("https://")
