"""Calls the callback door of the project under test as Messente does, properly signed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client

from django_messente_dlr import callbacks, conf
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.messente import signatures
from django_messente_dlr.models import SmsMessage


def simulate_callback(
    message: SmsMessage, stat: str = "DELIVRD", err: str | int = "", **parameters: str
) -> HttpResponse:
    """Report about a message by GET, as the SMS API does with the message's own URL.

    Signals are sent on commit: under a test case that never commits, wrap this in
    ``django_capture_on_commit_callbacks(execute=True)`` or use a transactional test.

    Args:
        message: the message to report about.
        stat: the word for its state.
        err: the number of the cause.
        parameters: further parameters, or others in the place of ``sms_unique_id``.
    """
    told = {"sms_unique_id": message.sms_unique_id or "", "stat": stat, "err": str(err), **parameters}
    path = _path_within(callbacks.message_callback_url(message.pk, message.account))
    return Client(enforce_csrf_checks=True).get(path, told, secure=_is_secure())  # type: ignore[return-value]


def simulate_omnichannel_callback(
    payload: Mapping[str, Any], *, account: str = conf.DEFAULT_ACCOUNT, url: str = ""
) -> HttpResponse:
    """Report by POST, as the Omnichannel API does, signed with the account's password.

    Args:
        payload: what the callback's JSON says.
        account: the account whose password signs it.
        url: a message's or an account's callback URL; "" for the account-wide webhook.
    """
    body = json.dumps(payload).encode()
    path = _path_within(url) if url else tokens.webhook_path()
    return Client(enforce_csrf_checks=True).post(  # type: ignore[return-value]
        path,
        body,
        content_type="application/json",
        secure=_is_secure(),
        headers={signatures.HEADER: signatures.sign(body, conf.account(account).password)},
    )


def _path_within(url: str) -> str:
    """Return the path by which the project's own urlpatterns know a URL."""
    return urlsplit(url).path.removeprefix(urlsplit(conf.get_config().callback_base_url).path.rstrip("/"))


def _is_secure() -> bool:
    """Tell whether Messente would come by https, which SECURE_SSL_REDIRECT lets in alone."""
    return conf.get_config().callback_base_url.lower().startswith("https://")
