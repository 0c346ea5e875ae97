"""One callback: from a report to the HTTP request that tells it, and from the answer to «received» or not.

In come a message, a report that came about and the URL to call; out goes a `CallbackAttempt`. When to call, and
whether to call again, is for the `courier` to say.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
import urllib3

from django_messente_dlr.messente import signatures
from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode
from django_messente_dlr.sandbox.addresses import may_be_called
from django_messente_dlr.sandbox.messages import CallbackAttempt, ReportEvent, SandboxMessage

# More of an answer than this is not read; what it says does not matter.
MAX_ANSWER = 65536
# Why an attempt has no answer.
TIME_OUT = "time-out"
NO_CONNECTION = "no connection"
NOT_CALLED = "not called: the host is neither this machine nor among callback_hosts"
PART_PRICE = "0.1"


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A request that is ready to be made, as often as it takes, always the same byte for byte.

    Attributes:
        message: the message that it is about.
        event: the report that it tells.
        method: GET or POST.
        url: the URL with everything that belongs to it.
        body: the body of a POST.
        headers: the headers that are not a matter of course.
    """

    message: SandboxMessage
    event: ReportEvent
    method: str
    url: str = field(repr=False)
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def make(self, *, attempt: int, timeouts: tuple[float, float], hosts: Collection[str]) -> CallbackAttempt:
        """Make the request and return what came of it.

        Args:
            attempt: the number of this attempt, for the record.
            timeouts: seconds to wait for the connection and for the answer.
            hosts: names of hosts that may be called besides this machine's own.
        """
        status, error = self._exchange(timeouts) if may_be_called(self.url, hosts) else (None, NOT_CALLED)
        # Documentation: a GET wants 200, and is repeated on «server failure»; whether a redirect or a 4xx is one,
        # nobody says. For the POST anything from 200 to 399 is «received».
        received = status is not None and (status == 200 if self.method == "GET" else 200 <= status < 400)
        return CallbackAttempt(
            message=self.message,
            step=self.event.step,
            method=self.method,
            url=self.url,
            attempt=attempt,
            status=status,
            error=error,
            ok=received and not error,
        )

    def _exchange(self, timeouts: tuple[float, float]) -> tuple[int | None, str]:
        with requests.Session() as session:
            # A proxy from the environment cannot reach this machine's own addresses, and is none of its business.
            session.trust_env = False
            try:
                response = session.request(
                    self.method,
                    self.url,
                    data=self.body or None,
                    headers=dict(self.headers),
                    timeout=timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    response.raw.read(MAX_ANSWER)
            except (requests.Timeout, urllib3.exceptions.TimeoutError):
                return None, TIME_OUT
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
                return None, NO_CONNECTION
            return response.status_code, ""


def callback_for(message: SandboxMessage, event: ReportEvent, *, url: str, password: str) -> Callback:
    """Return the callback that tells ``event`` the way of the API that the message was sent with.

    Args:
        message: the message.
        event: the report.
        url: the ``dlr-url``.
        password: the account's password, which signs a POST.
    """
    if not message.omnimessage_id:
        return Callback(message=message, event=event, method="GET", url=url_for(url, message, event))
    told = status_of(message, event) | {"to": message.recipient, "omnimessage_id": message.omnimessage_id}
    # Some have seen strings there: a cause with leading noughts is told as one.
    if event.step.err and event.step.err != str(event.step.code):
        told["err"] = event.step.err
    body = json.dumps(told).encode()
    headers = (("Content-Type", "application/json"), (signatures.HEADER, signatures.sign(body, password)))
    return Callback(message=message, event=event, method="POST", url=url, body=body, headers=headers)


def url_for(url: str, message: SandboxMessage, event: ReportEvent) -> str:
    """Return a GET callback's URL (documentation: «Delivery Report», SMS API).

    Nobody says how Messente merges its parameters into a query string that is there already; here they follow it.
    """
    step = event.step
    if step.get is not None:
        told = dict(step.get)
    else:
        told = {"stat": step.stat} | ({} if step.err is None else {"err": step.err})
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # and there it ends: what cannot be read is not called
    query = "&".join(filter(None, [parts.query, urlencode({"sms_unique_id": message.message_id, **told})]))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def status_of(message: SandboxMessage, event: ReportEvent | None) -> dict[str, Any]:
    """Return what the Omnichannel API says of one channel's message, in a callback as well as to a question.

    Args:
        message: the message.
        event: the report, or None while there is none: then everything about it is null (official client:
            messente-api, model ``Status``).
    """
    step = event.step if event else None
    cause = ErrorCode.from_code(step.code) if step else None
    failed = cause is not None and cause.delivery_class in {DeliveryClass.FAILED, DeliveryClass.REJECTED}
    # Whose price is told when is nowhere said. Here: of whatever came to an end on the way to the handset.
    priced = step is not None and step.delivery_class not in {None, DeliveryClass.SENT, DeliveryClass.REJECTED}
    return {
        "status": step.stat if step else None,
        "channel": message.channel,
        "message_id": message.message_id,
        "sender": message.sender,
        "err": step.code if step else None,
        "error": cause.name.replace("_", " ").capitalize() if cause and failed else None,
        # Without a zone, as Messente's own example has it.
        "timestamp": event.at.replace(tzinfo=None).isoformat(timespec="microseconds") if event else None,
        "price_info": _price(message) if priced else None,
    }


def _price(message: SandboxMessage) -> dict[str, Any]:
    return {
        "part_price": PART_PRICE,
        "parts_count": message.parts,
        "total_price": f"{message.parts / 10:.1f}",
    }
