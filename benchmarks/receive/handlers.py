"""The compared handlers, and the request that Messente (for e: Postmark) sends to each."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from benchmarks.receive import ANYMAIL_SECRET
from benchmarks.receive.databases import CREATED_AT, message_id


@dataclass(frozen=True)
class Handler:
    """One way to receive a report.

    Attributes:
        name: its name in the table.
        about: a description.
        path: the path of its URL; "" for the callback URLs of this package.
        databases: the databases that it supports.
        receivers: whether a receiver is connected to every signal in its server.
        fast_path: whether the fast path is on in its server.
    """

    name: str
    about: str
    path: str = ""
    databases: tuple[str, ...] = ("postgres", "mariadb", "sqlite")
    receivers: bool = False
    fast_path: bool = True

    def request(self, number: int) -> bytes:
        """Return the request that reports the message with this number as delivered."""
        if self.path == "/e/":
            return _postmark(self.path, number)
        if self.name.startswith("ours, POST"):
            return _omnichannel(number)
        path = self.path or _callback_path(None if "account" in self.name else number)
        query = f"sms_unique_id={message_id(number)}&stat=DELIVRD&err=000"
        return _http(f"GET {path}?{query}")


HANDLERS = {
    handler.name: handler
    for handler in (
        Handler("a", "a view that answers OK and touches no database", "/a/"),
        Handler("e", "django-anymail's Postmark view, a receiver that does one UPDATE", "/e/"),
        Handler("c", "raw SQL: INSERT of a report and conditional UPDATE in one transaction", "/c/"),
        Handler("c2", "the same two as one statement in autocommit", "/c2/", databases=("postgres",)),
        Handler("d", "objects.get(), set fields, .save(): no log, no duplicates, no order", "/d/"),
        Handler("g", "a plain Django view doing c through the ORM", "/g/"),
        Handler("f", "a DRF APIView with a serializer doing c through the ORM", "/f/"),
        Handler("orm", "ours with the fast path switched off, no receiver connected", fast_path=False),
        Handler("orm, receivers", "the same, a receiver connected to every signal", receivers=True, fast_path=False),
        Handler("ours", "the message's signed URL, no receiver connected"),
        Handler("ours, receivers", "the same, a receiver connected to every signal", receivers=True),
        Handler("ours, account", "the account's signed URL, no receiver connected"),
        Handler("ours, POST", "signed POST of the Omnichannel API, no receiver connected"),
        Handler("ours, POST, receivers", "the same, a receiver connected to every signal", receivers=True),
    )
}
# The handlers that write to the tables of this package.
OURS = tuple(handler.name for handler in HANDLERS.values() if not handler.path)


def _callback_path(message_number: int | None) -> str:
    """Return the path of the signed callback URL of a message, or of the account if the number is None."""
    from django_messente_dlr import callbacks

    if message_number is None:
        url = callbacks.callback_url()
    else:
        url = callbacks.message_callback_url(callbacks.MessageKey(message_number, CREATED_AT), "default")
    return url.removeprefix("http://127.0.0.1")


def _omnichannel(number: int) -> bytes:
    from django_messente_dlr import conf
    from django_messente_dlr.messente import signatures

    payload = {
        "status": "DELIVRD",
        "sender": "Shop",
        "err": 0,
        "message_id": message_id(number),
        "to": "+37255500000",
        "channel": "sms",
        "error": None,
        "omnimessage_id": "22222222-2222-4222-8222-222222222222",
        "timestamp": "2024-05-06T07:08:09.123456",
        "price_info": {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"},
    }
    body = json.dumps(payload).encode()
    signature = signatures.sign(body, conf.account("default").password)
    return _http("POST /messente/dlr/", body, f"{signatures.HEADER}: {signature}")


def _postmark(path: str, number: int) -> bytes:
    payload = {
        "RecordType": "Delivery",
        "ServerID": 23,
        "MessageID": message_id(number),
        "Recipient": "recipient@example.com",
        "Tag": "welcome",
        "DeliveredAt": "2024-05-06T07:08:09Z",
        "Details": "Test delivery webhook details",
        "MessageStream": "outbound",
        "Metadata": {"order": "17"},
    }
    login = base64.b64encode(ANYMAIL_SECRET.encode()).decode()
    return _http(f"POST {path}", json.dumps(payload).encode(), f"Authorization: Basic {login}")


def _http(start: str, body: bytes | None = None, *headers: str) -> bytes:
    lines = [f"{start} HTTP/1.1", "Host: 127.0.0.1", "User-Agent: benchmark", "Accept: */*", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
