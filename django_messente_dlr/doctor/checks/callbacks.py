"""Check that a callback arrives: request this project's callback URL by its public name, with a signed probe.

The request passes DNS, TLS, proxies, Django's middleware and the callback view, as a request from Messente does. The
view answers a probe and stores nothing. A firewall that admits this machine and blocks Messente is not detected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import requests
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 - Django's name
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.callbacks.tokens import ProbeToken
from django_messente_dlr.messente import signatures
from django_messente_dlr.messente.exchanges import Exchanges
from django_messente_dlr.messente.reports import CALLBACK_TIMEOUTS
from django_messente_dlr.utils.times import elapsed

TOPIC, CLOCK = "callback URL", "clock"
BODY = b"{}"
MAX_CLOCK_DIFFERENCE = timedelta(minutes=1)


class _ProbeFailed(Exception):
    """Raise when a probe gets no valid answer.

    Args:
        message: the reason.
        hint: how to correct it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_callbacks() -> Iterator[CheckMessage]:
    """Yield findings about the callback URL: one probe by GET, and one signed POST for each account."""
    config = conf.get_config()
    if not config.callback_base_url:
        return  # the system check W002 reports it
    try:
        yield from _check_answer(_send_probe("GET"), config)
    except _ProbeFailed as exc:
        yield Error(str(exc), hint=exc.hint, obj=TOPIC, id="django_messente_dlr.doctor.D021")
        return
    for name, account in config.accounts.items():
        headers = {signatures.HEADER: signatures.sign(BODY, account.password), "Content-Type": "application/json"}
        try:
            _send_probe("POST", data=BODY, headers=headers)
        except _ProbeFailed as exc:
            yield Error(
                f"A POST signed by account {name} fails: {exc}",
                hint=exc.hint,
                obj=TOPIC,
                id="django_messente_dlr.doctor.D022",
            )
        else:
            yield Info(
                f"The callback view accepts a POST signed by account {name}.",
                obj=TOPIC,
                id="django_messente_dlr.doctor.D023",
            )


def _check_answer(answer: dict[str, Any], config: conf.Config) -> Iterator[CheckMessage]:
    yield Info(
        f"This project answers at {config.callback_base_url}.", obj=TOPIC, id="django_messente_dlr.doctor.D024"
    )
    if config.callback_allowed_ips and answer.get("forwarded") != config.trusted_proxy_count:
        yield Warning(
            f"X-Forwarded-For has {answer.get('forwarded')} entries at the callback view, but TRUSTED_PROXY_COUNT is "
            f"{config.trusted_proxy_count}: the allow-list may check the wrong address ({answer.get('address')}).",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies between the internet and Django.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D025",
        )
    difference = abs(elapsed(datetime.fromisoformat(str(answer.get("now"))), timezone.now()))
    if difference > MAX_CLOCK_DIFFERENCE:
        yield Warning(
            f"The server's clock and this machine's clock differ by {difference.total_seconds():.0f} seconds.",
            hint="Synchronise both clocks by NTP: the times of polls and leases depend on them.",
            obj=CLOCK,
            id="django_messente_dlr.doctor.D026",
        )
    else:
        yield Info(
            f"The server's clock agrees with this machine's: {timezone.now():%Y-%m-%d %H:%M:%S %Z}.",
            obj=CLOCK,
            id="django_messente_dlr.doctor.D027",
        )


def _send_probe(method: str, **arguments: Any) -> dict[str, Any]:
    """Request this project's callback URL with a new probe, and return the callback view's answer.

    Args:
        method: the HTTP method.
        arguments: further arguments of `Exchanges.request`.

    Raises:
        _ProbeFailed: the URL is unreachable, or the callback view of this project does not answer.
    """
    url, probe = tokens.probe_url()
    try:
        with closing(Exchanges(requests.Session, total_timeout=sum(CALLBACK_TIMEOUTS))) as exchanges:
            response = exchanges.request(
                method, url, host="callback URL", timeout=CALLBACK_TIMEOUTS, allow_redirects=False, **arguments
            )
    except requests.RequestException as exc:
        raise _ProbeFailed(
            f"This machine cannot reach the URL ({type(exc).__name__}).",
            "Check CALLBACK_BASE_URL, DNS, the certificate and the firewall.",
        ) from None
    status = response.status_code
    if 300 <= status < 400:
        raise _ProbeFailed(
            f"The answer is a redirect (HTTP {status}), so reports are lost. Messente takes a redirect of a POST for "
            "success, and is not known to follow a redirect of a GET.",
            "Change CALLBACK_BASE_URL to the target of the redirect, or exempt the callback's path from it.",
        )
    if status != 200:
        raise _ProbeFailed(
            f"The answer is HTTP {status}.",
            "Check what is between the internet and Django: a proxy's rule, ALLOWED_HOSTS, a middleware, or keys "
            "that differ from this project's.",
        )
    return _read_answer(response, probe)


def _read_answer(response: requests.Response, probe: ProbeToken) -> dict[str, Any]:
    """Return the JSON of an answer whose proof is valid for the probe; raise _ProbeFailed for any other answer."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and tokens.check_probe(str(answer.get("proof")), probe):
        return answer
    raise _ProbeFailed(
        "A server answers at the URL, but it is not this project with these keys.",
        "Check CALLBACK_BASE_URL, and that all processes have the same SECRET_KEY or CALLBACK_KEYS.",
    )
