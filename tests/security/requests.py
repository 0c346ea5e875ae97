"""Hypothesis strategies for requests to the callback view: genuine and forged, well-formed and malformed.

A strategy draws a `Plan`. `Plan.request` builds the request when the rows that the report refers to exist.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlencode

from hypothesis import strategies as st

from django_messente_dlr import callbacks
from django_messente_dlr.messente.signatures import sign
from django_messente_dlr.models import SmsMessage
from tests.security.wsgi import Request
from tests.unit.messente.storable import json_values, odd_text

PASSWORDS = {"default": ["a-password", "an-older-password"], "marketing": ["another-password"]}
BASE = "https://shop.example.com"
# The owner of a callback URL: the account, and whether the URL belongs to one message of it or to the whole account.
# None is the URL without a token.
URL_OWNERS = [("default", True), ("default", False), ("marketing", True), ("marketing", False), None]

random_bytes = st.binary(max_size=80) | odd_text.map(lambda text: text.encode("utf-8", "surrogatepass"))
latin_text = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=80)


def _flip(token: bytes, place: int) -> bytes:
    place %= len(token)
    return token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]


# Changes to a token in transit. After each of them, the decoded path no longer contains the token.
corruptions: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.integers(0, 400).map(lambda place: lambda token: _flip(token, place)),
    st.integers(1, 60).map(lambda cut: lambda token: token[:-cut]),
    st.integers(1, 60).map(lambda cut: lambda token: token[cut:]),
    random_bytes.filter(lambda more: more.strip(b"/")).map(
        lambda more: lambda token: token + quote_from_bytes(more).encode()
    ),
    st.sampled_from(
        [
            lambda token: token + b"%00",
            lambda token: token + b"%0a",
            lambda token: token + b"%2f%2e%2e%2f",
            lambda token: token + b"/x/",
            lambda token: b"%20" + token,
            lambda token: token * 50,
            lambda token: b"%ff" + token,
            lambda token: token.replace(b".", b"%EF%BC%8E"),  # a full stop of full width
            lambda token: token.swapcase(),
            lambda token: quote(token).encode().replace(b".", b"%252e"),
            lambda token: token.partition(b".")[0] + b"." + token.rpartition(b".")[2],
            lambda token: b"m1.default." + token.rpartition(b".")[2],
            lambda token: b"x" * 5000,
        ]
    ),
    random_bytes.filter(lambda path: path.strip(b"/")).map(
        lambda path: lambda token: quote_from_bytes(path).encode()
    ),
)

# Encodings of a path that a proxy may choose. The decoded path stays the same.
encodings: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
    [
        lambda token: token,
        lambda token: token.replace(b".", b"%2E"),
        lambda token: b"".join(b"%%%02x" % byte for byte in token),
    ]
)

words = st.sampled_from(
    [
        "DELIVRD",
        "delivrd",
        "UNDELIV",
        "FAILED",
        "UNKNOWN",
        "ACCEPTD",
        "REJECTD",
        "EXPIRED",
        "NACK",
        "SEEN",
        "A-NEW-ONE",
    ]
)
errs = st.sampled_from(["", "0", "000", "4", "004", "7", "999", "12345"])
odd_pairs = st.lists(st.tuples(odd_text, odd_text | words), max_size=8)
extra_pairs = st.dictionaries(
    st.text(string.ascii_letters, min_size=1, max_size=12), st.text(max_size=20), max_size=4
)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The query string or body of a report, well-formed or not.

    Attributes:
        build: returns the bytes for the id of a message.
        well_formed: whether the callback view must accept the bytes.
    """

    build: Callable[[str], bytes]
    well_formed: bool

    def __repr__(self) -> str:
        return f"Content({self.build('an-id')!r}, well_formed={self.well_formed})"


def _query(parameters: Mapping[str, str]) -> Callable[[str], bytes]:
    return lambda id_: urlencode({"sms_unique_id": id_, **parameters}).encode()


def _json(fields: Mapping[str, Any]) -> Callable[[str], bytes]:
    return lambda id_: json.dumps({"message_id": id_, **fields}).encode()


RESERVED = {"sms_unique_id", "stat", "status", "err", "message_id", "omnimessage_id", "timestamp", "error", "channel"}
extras = extra_pairs.map(lambda pairs: {key: value for key, value in pairs.items() if key not in RESERVED})
good_queries = st.builds(
    lambda word, err, rest: Content(build=_query({**_without_nul(rest), "stat": word, "err": err}), well_formed=True),
    words,
    errs,
    extras,
)
good_bodies = st.builds(
    lambda word, err, rest: Content(
        build=_json({**_without_nul(rest), "status": word, "err": err or None}), well_formed=True
    ),
    words,
    errs,
    extras,
)


def _without_nul(pairs: Mapping[str, str]) -> dict[str, str]:
    """Remove the pairs whose value contains a NUL character, which PostgreSQL cannot store."""
    return {key: value for key, value in pairs.items() if "\0" not in value}


def _malformed(content: bytes) -> Content:
    return Content(build=lambda id_: content, well_formed=False)


malformed_queries = st.one_of(
    random_bytes.map(_malformed),
    odd_pairs.map(lambda pairs: _malformed(urlencode(pairs, errors="surrogatepass").encode())),
    st.tuples(words, random_bytes).map(
        lambda pair: _malformed(f"stat={pair[0]}&x={quote_from_bytes(pair[1])}".encode())
    ),
    st.sampled_from(
        [b"stat=DELIVRD" + b"&a=b" * 200, b"%", b"stat=%00", b"stat=%ff", b"=&=&;=", b"stat=DELIVRD&stat=FAILED"]
    ).map(_malformed),
)
malformed_bodies = st.one_of(
    random_bytes.map(_malformed),
    json_values.map(lambda value: _malformed(json.dumps(value).encode())),
    st.dictionaries(
        st.sampled_from(["message_id", "omnimessage_id", "status", "err", "timestamp", "price_info", "error", "to"]),
        json_values,
        max_size=8,
    ).map(lambda fields: _malformed(json.dumps(fields).encode())),
    odd_pairs.map(lambda pairs: _malformed(urlencode(pairs, errors="surrogatepass").encode())),
    st.sampled_from(
        [b"[" * 20_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"err": 1e999, "message_id": "x"}', b" " * 70_000]
    ).map(_malformed),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A request whose rows do not exist yet.

    Attributes:
        method: the HTTP method.
        owner: the owner of the callback URL; None for the URL without a token.
        corrupt: changes the token into an invalid one; None leaves it valid.
        encode: encodes the token for the path.
        slash: the end of the path, after the token.
        signer: the account and the password that sign the body; None sends ``forged`` as the signature.
        forged: an invalid signature.
        content: the query string or body.
        length: the value of the Content-Length header; "" for the length of the body.
        headers: the other headers.
    """

    method: str
    owner: tuple[str, bool] | None
    corrupt: Callable[[bytes], bytes] | None
    encode: Callable[[bytes], bytes]
    slash: bytes
    signer: tuple[str, str] | None
    forged: str
    content: Content
    length: str
    headers: dict[str, str]

    def request(self, rows: Mapping[str, SmsMessage], *, id_: str) -> Request:
        """Return the request.

        Args:
            rows: for each account, one of its messages.
            id_: the id at Messente of the reported message.
        """
        content = self.content.build(id_)
        body, query = (content, b"") if self.method == "POST" else (b"", content)
        headers = dict(self.headers)
        if signature := sign(body, self.signer[1]) if self.signer else self.forged:
            headers["HTTP_X_MESSENTE_SIGNATURE"] = signature
        return Request(
            method=self.method,
            path=b"/messente/dlr/" + self._path(rows),
            query=query,
            body=body,
            length=self.length or str(len(body)),
            headers=headers,
        )

    def token(self, rows: Mapping[str, SmsMessage]) -> bytes:
        """Return the valid token of the callback URL."""
        if self.owner is None:
            return b""
        account, for_message = self.owner
        url = rows[account].callback_url if for_message else callbacks.callback_url(account)
        return url.removeprefix(f"{BASE}/messente/dlr/").rstrip("/").encode()

    @property
    def account(self) -> str | None:
        """The account that the request authenticates; None if it authenticates none."""
        if self.corrupt is not None:
            return None
        if self.method == "GET":
            return self.owner[0] if self.owner else None
        signed = self.signer[0] if self.method == "POST" and self.signer else None
        return signed if self.owner is None or self.owner[0] == signed else None

    def _path(self, rows: Mapping[str, SmsMessage]) -> bytes:
        token = self.token(rows)
        if self.corrupt is not None:
            # The URL of the webhook has no token that could be changed: change a made-up one.
            return (self.corrupt(token or b"m1.default.made-up") or b"-") + self.slash
        return self.encode(token) + self.slash if token else b""


def simple_plan(
    method: str, owner: tuple[str, bool] | None, *, signer: tuple[str, str] | None, forged: str, corrupted: bool
) -> Plan:
    """Return the plan of a request that reports a delivered message."""
    build = _json({"status": "DELIVRD"}) if method == "POST" else _query({"stat": "DELIVRD"})
    return Plan(
        method=method,
        owner=owner,
        corrupt=(lambda token: _flip(token, -1)) if corrupted else None,
        encode=lambda token: token,
        slash=b"/",
        signer=signer,
        forged=forged,
        content=Content(build=build, well_formed=True),
        length="",
        headers={},
    )


TYPES = ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
headers = st.fixed_dictionaries(
    {},
    optional={
        # Not every charset: with a codec that is not for text, such as rot13, Django fails before any middleware.
        "CONTENT_TYPE": st.sampled_from([*TYPES, "multipart/form-data", "a/b; charset=utf-16", "a/b; charset=x", ""])
        | latin_text.filter(lambda text: "charset" not in text.lower()),
        "HTTP_X_FORWARDED_FOR": st.sampled_from(["192.0.2.1", "unknown, ,", ",,,"]) | latin_text,
        "HTTP_X_FORWARDED_PROTO": st.just("https"),
        "HTTP_COOKIE": st.sampled_from(["sessionid=x", "csrftoken=\xff; ;=", "messages=random_bytes"]) | latin_text,
        "HTTP_AUTHORIZATION": latin_text,
        "HTTP_ACCEPT_LANGUAGE": st.sampled_from(["et", "xx" * 400, "*;q=nan"]) | latin_text,
        "HTTP_TRANSFER_ENCODING": st.just("chunked"),
        "HTTP_X_HTTP_METHOD_OVERRIDE": st.just("POST"),
        "HTTP_EXPECT": st.just("100-continue"),
        "HTTP_RANGE": st.just("bytes=0-0"),
        "HTTP_IF_MODIFIED_SINCE": latin_text,
    },
)
signers = st.sampled_from([(account, password) for account, passwords in PASSWORDS.items() for password in passwords])
forgeries = st.one_of(
    latin_text.filter(lambda text: len(text) != 64),  # a text of 64 characters could be the valid signature
    st.sampled_from(
        [
            "",
            "0" * 64,
            "f" * 100_000,
            sign(b"another body", "a-password"),
            sign(b"another body", ""),
            "sha256=",
            "\xe9" * 64,
        ]
    ),
)


@st.composite
def plans(draw: st.DrawFn, *, methods: st.SearchStrategy[str], valid: bool = False) -> Plan:
    """Draw a plan.

    Args:
        draw: the function that Hypothesis passes.
        methods: the HTTP methods to draw from.
        valid: whether the request must be authenticated and well-formed.
    """
    method = draw(methods)
    well_formed, malformed = (
        (good_bodies, malformed_bodies) if method == "POST" else (good_queries, malformed_queries)
    )
    owner = draw(st.sampled_from(URL_OWNERS[:-1] if valid and method == "GET" else URL_OWNERS))
    signer = draw(signers if valid else signers | st.none())
    if valid and owner is not None:
        signer = (owner[0], draw(st.sampled_from(PASSWORDS[owner[0]])))
    return Plan(
        method=method,
        owner=owner,
        corrupt=None if valid or draw(st.booleans()) else draw(corruptions),
        encode=draw(encodings),
        slash=draw(st.sampled_from([b"/", b""])),
        signer=signer,
        forged=draw(forgeries),
        content=draw(well_formed if valid or draw(st.booleans()) else malformed),
        length=draw(
            st.just("") if valid else st.sampled_from(["", "", "", "", "0", "-1", "9" * 30, "1e3"]) | latin_text
        ),
        headers=draw(headers),
    )
