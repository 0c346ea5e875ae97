"""Requests for the callback door, as hypothesis draws them: who speaks, how truly, of what, in which words.

What is drawn is a plan; `Plan.request` makes the request of it once the rows are there that it speaks of.
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
from tests.security.wsgi import Request
from tests.unit.messente.storable import json_values, odd_text

PASSWORDS = {"default": ["a-password", "an-older-password"], "marketing": ["another-password"]}
BASE = "https://shop.example.com"
# Whose URL: an account, and whether it is a message's or the account's. Or none: the webhook's.
SPEAKERS = [("default", True), ("default", False), ("marketing", True), ("marketing", False), None]

junk = st.binary(max_size=80) | odd_text.map(lambda text: text.encode("utf-8", "surrogatepass"))
latin = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=80)


def _flip(token: bytes, place: int) -> bytes:
    place %= len(token)
    return token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]


# What may become of a token on its way. None of these is the token any more, once the path is decoded.
twists: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.integers(0, 400).map(lambda place: lambda token: _flip(token, place)),
    st.integers(1, 60).map(lambda cut: lambda token: token[:-cut]),
    st.integers(1, 60).map(lambda cut: lambda token: token[cut:]),
    junk.filter(lambda more: more.strip(b"/")).map(
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
    junk.filter(lambda path: path.strip(b"/")).map(lambda path: lambda token: quote_from_bytes(path).encode()),
)

# What a proxy may do to a path that leaves it the same path.
spellings: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
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
more = st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=12), st.text(max_size=20), max_size=4)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a report says: well-formed, or anything at all."""

    telling: Callable[[str], bytes]
    well_formed: bool

    def __repr__(self) -> str:
        return f"Content({self.telling('an-id')!r}, well_formed={self.well_formed})"


def _query(told: Mapping[str, str]) -> Callable[[str], bytes]:
    return lambda id_: urlencode({"sms_unique_id": id_, **told}).encode()


def _json(told: Mapping[str, Any]) -> Callable[[str], bytes]:
    return lambda id_: json.dumps({"message_id": id_, **told}).encode()


RESERVED = {"sms_unique_id", "stat", "status", "err", "message_id", "omnimessage_id", "timestamp", "error", "channel"}
extras = more.map(lambda told: {key: value for key, value in told.items() if key not in RESERVED})
good_queries = st.builds(
    lambda word, err, rest: Content(telling=_query({**_clean(rest), "stat": word, "err": err}), well_formed=True),
    words,
    errs,
    extras,
)
good_bodies = st.builds(
    lambda word, err, rest: Content(
        telling=_json({**_clean(rest), "status": word, "err": err or None}), well_formed=True
    ),
    words,
    errs,
    extras,
)


def _clean(told: Mapping[str, str]) -> dict[str, str]:
    """Leave out what no text in a database can have."""
    return {key: value for key, value in told.items() if "\0" not in value}


def _anything(content: bytes) -> Content:
    return Content(telling=lambda id_: content, well_formed=False)


odd_queries = st.one_of(
    junk.map(_anything),
    odd_pairs.map(lambda pairs: _anything(urlencode(pairs, errors="surrogatepass").encode())),
    st.tuples(words, junk).map(lambda told: _anything(f"stat={told[0]}&x={quote_from_bytes(told[1])}".encode())),
    st.sampled_from(
        [b"stat=DELIVRD" + b"&a=b" * 200, b"%", b"stat=%00", b"stat=%ff", b"=&=&;=", b"stat=DELIVRD&stat=FAILED"]
    ).map(_anything),
)
odd_bodies = st.one_of(
    junk.map(_anything),
    json_values.map(lambda value: _anything(json.dumps(value).encode())),
    st.dictionaries(
        st.sampled_from(["message_id", "omnimessage_id", "status", "err", "timestamp", "price_info", "error", "to"]),
        json_values,
        max_size=8,
    ).map(lambda told: _anything(json.dumps(told).encode())),
    odd_pairs.map(lambda pairs: _anything(urlencode(pairs, errors="surrogatepass").encode())),
    st.sampled_from(
        [b"[" * 20_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"err": 1e999, "message_id": "x"}', b" " * 70_000]
    ).map(_anything),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A request that is still to be made.

    Attributes:
        method: its method.
        speaker: whose URL it is; None for the webhook's, which has no token.
        twist: what became of the token; None if nothing did.
        spelling: how the path writes the token.
        slash: what stands behind it.
        signer: the password that signs the body; None for the signature that ``forged`` says.
        forged: a signature that nobody made.
        content: what it says.
        length: what it says of the body's length: "" for the truth.
        headers: its other headers.
    """

    method: str
    speaker: tuple[str, bool] | None
    twist: Callable[[bytes], bytes] | None
    spelling: Callable[[bytes], bytes]
    slash: bytes
    signer: tuple[str, str] | None
    forged: str
    content: Content
    length: str
    headers: dict[str, str]

    def request(self, rows: Mapping[str, int], *, id_: str) -> Request:
        """Return the request.

        Args:
            rows: the primary key of a message of each account.
            id_: Messente's id of the message that it speaks of.
        """
        told = self.content.telling(id_)
        body, query = (told, b"") if self.method == "POST" else (b"", told)
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

    def token(self, rows: Mapping[str, int]) -> bytes:
        """Return the genuine token of whose URL it is."""
        if self.speaker is None:
            return b""
        account, one = self.speaker
        url = callbacks.message_callback_url(rows[account], account) if one else callbacks.callback_url(account)
        return url.removeprefix(f"{BASE}/messente/dlr/").rstrip("/").encode()

    @property
    def account(self) -> str | None:
        """The account that is proved to speak; None where none is."""
        if self.twist is not None:
            return None
        if self.method == "GET":
            return self.speaker[0] if self.speaker else None
        signed = self.signer[0] if self.method == "POST" and self.signer else None
        return signed if self.speaker is None or self.speaker[0] == signed else None

    def _path(self, rows: Mapping[str, int]) -> bytes:
        token = self.token(rows)
        if self.twist is not None:
            # Of the webhook, which has no token, nothing is left to twist: one is made up.
            return (self.twist(token or b"m1.default.made-up") or b"-") + self.slash
        return self.spelling(token) + self.slash if token else b""


def plan_of(
    method: str, speaker: tuple[str, bool] | None, *, signer: tuple[str, str] | None, forged: str, twisted: bool
) -> Plan:
    """Return the plan of a plain report."""
    telling = _json({"status": "DELIVRD"}) if method == "POST" else _query({"stat": "DELIVRD"})
    return Plan(
        method=method,
        speaker=speaker,
        twist=(lambda token: _flip(token, -1)) if twisted else None,
        spelling=lambda token: token,
        slash=b"/",
        signer=signer,
        forged=forged,
        content=Content(telling=telling, well_formed=True),
        length="",
        headers={},
    )


TYPES = ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
headers = st.fixed_dictionaries(
    {},
    optional={
        # Not any charset: one that is no text's, such as rot13, ends in Django before any middleware of anybody's.
        "CONTENT_TYPE": st.sampled_from([*TYPES, "multipart/form-data", "a/b; charset=utf-16", "a/b; charset=x", ""])
        | latin.filter(lambda told: "charset" not in told.lower()),
        "HTTP_X_FORWARDED_FOR": st.sampled_from(["192.0.2.1", "unknown, ,", ",,,"]) | latin,
        "HTTP_X_FORWARDED_PROTO": st.just("https"),
        "HTTP_COOKIE": st.sampled_from(["sessionid=x", "csrftoken=\xff; ;=", "messages=junk"]) | latin,
        "HTTP_AUTHORIZATION": latin,
        "HTTP_ACCEPT_LANGUAGE": st.sampled_from(["et", "xx" * 400, "*;q=nan"]) | latin,
        "HTTP_TRANSFER_ENCODING": st.just("chunked"),
        "HTTP_X_HTTP_METHOD_OVERRIDE": st.just("POST"),
        "HTTP_EXPECT": st.just("100-continue"),
        "HTTP_RANGE": st.just("bytes=0-0"),
        "HTTP_IF_MODIFIED_SINCE": latin,
    },
)
signers = st.sampled_from([(account, password) for account, live in PASSWORDS.items() for password in live])
forgeries = st.one_of(
    latin.filter(lambda told: len(told) != 64),  # which could be the very signature
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
def plans(draw: st.DrawFn, *, methods: st.SearchStrategy[str], true: bool = False) -> Plan:
    """Draw a plan.

    Args:
        draw: hypothesis's.
        methods: its methods.
        true: whether it is to be verified and well-formed.
    """
    method = draw(methods)
    good, odd = (good_bodies, odd_bodies) if method == "POST" else (good_queries, odd_queries)
    speaker = draw(st.sampled_from(SPEAKERS[:-1] if true and method == "GET" else SPEAKERS))
    signer = draw(signers if true else signers | st.none())
    if true and speaker is not None:
        signer = (speaker[0], draw(st.sampled_from(PASSWORDS[speaker[0]])))
    return Plan(
        method=method,
        speaker=speaker,
        twist=None if true or draw(st.booleans()) else draw(twists),
        spelling=draw(spellings),
        slash=draw(st.sampled_from([b"/", b""])),
        signer=signer,
        forged=draw(forgeries),
        content=draw(good if true or draw(st.booleans()) else odd),
        length=draw(st.just("") if true else st.sampled_from(["", "", "", "", "0", "-1", "9" * 30, "1e3"]) | latin),
        headers=draw(headers),
    )
