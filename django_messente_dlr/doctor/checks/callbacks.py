"""Does a callback arrive? Calls our own callback URL by its public name, with a probe that stores nothing.

It goes the way that Messente goes from the name on: DNS, TLS, proxies, Django's middleware, our view. What it cannot
see is a firewall that lets this machine in and Messente not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import requests
from django.utils import timezone

from django_messente_dlr import callbacks, conf
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.callbacks.tokens import ProbeToken
from django_messente_dlr.doctor.findings import Finding, error, ok, warning
from django_messente_dlr.messente import signatures
from django_messente_dlr.messente.reports import CALLBACK_TIMEOUTS

TOPIC = "callback URL"
BODY = b"{}"
SKEW = timedelta(minutes=1)


class _Unanswered(Exception):
    """A probe that did not come back as it should; says why, and what to do."""

    def __init__(self, told: str, advice: str) -> None:
        super().__init__(told)
        self.hint = advice


def check_callbacks() -> Iterator[Finding]:
    """Yield findings about the callback URL of each account."""
    config = conf.get_config()
    if not config.callback_base_url:
        return  # the system checks have told
    for name in config.accounts:
        yield ok(TOPIC, f"For Messente's dashboard, account {name}:", secret=callbacks.callback_url(name))
    try:
        yield from _check_answer(_probe("GET"), config)
    except _Unanswered as exc:
        yield error(TOPIC, str(exc), exc.hint)
        return
    for name, account in config.accounts.items():
        headers = {signatures.HEADER: signatures.sign(BODY, account.password), "Content-Type": "application/json"}
        try:
            _probe("POST", data=BODY, headers=headers)
        except _Unanswered as exc:
            yield error(TOPIC, f"By a POST that account {name} has signed: {exc}", exc.hint)
        else:
            yield ok(TOPIC, f"It takes a POST that account {name} has signed.")


def _check_answer(answer: dict[str, Any], config: conf.Config) -> Iterator[Finding]:
    yield ok(TOPIC, f"It is answered by this project under {config.callback_base_url}.")
    if config.callback_allowed_ips and answer.get("forwarded") != config.trusted_proxy_count:
        yield warning(
            TOPIC,
            f"X-Forwarded-For had {answer.get('forwarded')} entries there, and TRUSTED_PROXY_COUNT is "
            f"{config.trusted_proxy_count}: the allow-list may look at the wrong address ({answer.get('address')}).",
            "Count the proxies between the internet and Django, and write that number.",
        )
    apart = abs(_moment(answer.get("now")) - timezone.now())
    if apart > SKEW:
        told = f"Its clock and this machine's are {apart.total_seconds():.0f} seconds apart."
        yield warning("clock", told, "Have both set by NTP: polls and leases go by it.")
    else:
        yield ok("clock", f"It is {timezone.now():%Y-%m-%d %H:%M:%S %Z} here, and there too.")


def _probe(method: str, **arguments: Any) -> dict[str, Any]:
    """Call our own callback URL and return what our view answered."""
    url, probe = tokens.probe_url()
    try:
        response = requests.request(method, url, timeout=CALLBACK_TIMEOUTS, allow_redirects=False, **arguments)
    except requests.RequestException as exc:
        raise _Unanswered(
            f"It could not be reached from here ({type(exc).__name__}).",
            "Check CALLBACK_BASE_URL, DNS, the certificate and the firewall.",
        ) from None
    status = response.status_code
    if 300 <= status < 400:
        raise _Unanswered(
            f"It is answered with a redirect (HTTP {status}), so that reports are lost: Messente takes that for "
            "«received» where it calls by POST, and is not known to follow it where it calls by GET.",
            "Change CALLBACK_BASE_URL to where it leads, or exempt the path from what redirects.",
        )
    if status != 200:
        raise _Unanswered(
            f"It is answered with HTTP {status}.",
            "See what stands between the internet and Django: a proxy's rule, ALLOWED_HOSTS, a middleware, or keys "
            "that differ from this project's.",
        )
    return _proved(response, probe)


def _proved(response: requests.Response, probe: ProbeToken) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and tokens.check_probe(str(answer.get("proof")), probe):
        return answer
    raise _Unanswered(
        "Somebody answers there, but not this project with these keys.",
        "Check CALLBACK_BASE_URL, and that all processes have the same SECRET_KEY or CALLBACK_KEYS.",
    )


def _moment(told: Any) -> datetime:
    moment = datetime.fromisoformat(str(told))
    return moment if timezone.is_aware(timezone.now()) else moment.replace(tzinfo=None)
