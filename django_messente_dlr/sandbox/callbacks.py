"""One callback: the HTTP request that reports an event, and whether the response counts as received.

`callback_sender` decides when a callback is sent, and whether it is sent again.
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

# The body of a response does not matter, so at most this many bytes of it are read.
MAX_RESPONSE_BODY = 65536
# Reasons why an attempt has no response.
TIME_OUT = "time-out"
NO_CONNECTION = "no connection"
NOT_CALLED = "not called: the host is neither this machine nor among callback_hosts"
PART_PRICE = "0.1"


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A prepared request. Every attempt sends it unchanged, byte for byte.

    Attributes:
        message: the message that the report is about.
        event: the report.
        method: GET or POST.
        url: the URL with the query string.
        body: the body of a POST.
        headers: the headers besides those that requests adds.
    """

    message: SandboxMessage
    event: ReportEvent
    method: str
    url: str = field(repr=False)
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, *, attempt: int, timeouts: tuple[float, float], hosts: Collection[str]) -> CallbackAttempt:
        """Send the request and return the attempt with its result.

        Args:
            attempt: the number of this attempt, from 1.
            timeouts: seconds to wait for the connection and for the response.
            hosts: names of hosts that may be called besides this machine.
        """
        status, error = self._exchange(timeouts) if may_be_called(self.url, hosts) else (None, NOT_CALLED)
        # Source: Messente's documentation. A GET needs 200 and is repeated after a "server failure"; whether a
        # redirect or a 4xx is such a failure is not documented. A POST counts as received with 200 to 399.
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
            # A proxy from the environment could not reach this machine's loopback addresses.
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
                    response.raw.read(MAX_RESPONSE_BODY)
            except (requests.Timeout, urllib3.exceptions.TimeoutError):
                return None, TIME_OUT
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
                return None, NO_CONNECTION
            return response.status_code, ""


def callback_for(message: SandboxMessage, event: ReportEvent, *, url: str, password: str) -> Callback:
    """Return the callback for ``event``, in the format of the API that the message was sent with.

    Args:
        message: the message.
        event: the report.
        url: the ``dlr-url``.
        password: the account's password, which signs a POST.
    """
    if not message.omnimessage_id:
        return Callback(message=message, event=event, method="GET", url=url_for(url, message, event))
    payload = status_of(message, event) | {"to": message.recipient, "omnimessage_id": message.omnimessage_id}
    # Strings were seen in this field too: an error code with leading zeros is sent as a string.
    if event.step.err and event.step.err != str(event.step.code):
        payload["err"] = event.step.err
    body = json.dumps(payload).encode()
    headers = (("Content-Type", "application/json"), (signatures.HEADER, signatures.sign(body, password)))
    return Callback(message=message, event=event, method="POST", url=url, body=body, headers=headers)


def url_for(url: str, message: SandboxMessage, event: ReportEvent) -> str:
    """Return the URL of a GET callback (Messente's documentation, "Delivery Report", SMS API).

    How Messente adds its parameters to an existing query string is not documented; the sandbox appends them.
    """
    step = event.step
    if step.get is not None:
        parameters = dict(step.get)
    else:
        parameters = {"stat": step.stat} | ({} if step.err is None else {"err": step.err})
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # may_be_called rejects it: an unreadable URL is never called
    query = "&".join(filter(None, [parts.query, urlencode({"sms_unique_id": message.message_id, **parameters})]))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def status_of(message: SandboxMessage, event: ReportEvent | None) -> dict[str, Any]:
    """Return the status of one channel's message as the Omnichannel API sends it in callbacks and to a poll.

    Args:
        message: the message.
        event: the report, or None before the first one. Without a report its fields are null (official client:
            messente-api, model ``Status``).
    """
    step = event.step if event else None
    cause = ErrorCode.from_code(step.code) if step else None
    failed = cause is not None and cause.delivery_class in {DeliveryClass.FAILED, DeliveryClass.REJECTED}
    # When Messente sends a price is not documented. The sandbox sends one for every final status but rejected.
    priced = step is not None and step.delivery_class not in {None, DeliveryClass.SENT, DeliveryClass.REJECTED}
    return {
        "status": step.stat if step else None,
        "channel": message.channel,
        "message_id": message.message_id,
        "sender": message.sender,
        "err": step.code if step else None,
        "error": cause.name.replace("_", " ").capitalize() if cause and failed else None,
        # Without a time zone, as in the example of Messente's documentation.
        "timestamp": event.at.replace(tzinfo=None).isoformat(timespec="microseconds") if event else None,
        "price_info": _price(message) if priced else None,
    }


def _price(message: SandboxMessage) -> dict[str, Any]:
    return {
        "part_price": PART_PRICE,
        "parts_count": message.parts,
        "total_price": f"{message.parts / 10:.1f}",
    }
