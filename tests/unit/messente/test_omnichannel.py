"""The client of the Omnichannel API: sending one or many omnimessages, and cancelling one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import responses

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.omnichannel_answers import AcceptedOmnimessage, SentChannel
from tests.unit.messente.answering import (
    MAY_HAVE_ARRIVED,
    NEVER_LEFT,
    OMNICHANNEL,
    PASSWORD,
    USERNAME,
    Messente,
    client,
)
from tests.unit.messente.test_secrets import assert_error_hides_password

SEND, BULK = f"{OMNICHANNEL}/omnimessage", f"{OMNICHANNEL}/omnimessages"
PAYLOAD = {"to": "+37255500000", "messages": [{"channel": "sms", "text": "Tere, õhtust 🌙"}]}
CHANNEL = {"channel": "sms", "message_id": "an-id", "sender": "Shop"}
ACCEPTED = {"omnimessage_id": "an-omni-id", "to": "+37255500000", "messages": [CHANNEL]}
ERROR = {"errors": [{"title": "Invalid data", "detail": "The text is missing.", "code": "104", "source": "text"}]}
# What no server of Messente answers to a request that sends: the outcome is not known.
UNREADABLE: list[dict[str, Any]] = [
    {"status": 201, "body": ""},
    {"status": 201, "body": "<html>"},
    {"status": 201, "body": "[]"},
    {"status": 201, "json": {"messages": [CHANNEL]}},
    {"status": 201, "json": {**ACCEPTED, "omnimessage_id": 17}},
    {"status": 201, "json": {**ACCEPTED, "omnimessage_id": "x" * 129}},
    {"status": 201, "json": {**ACCEPTED, "omnimessage_id": "a\nb"}},
    {"status": 204},
    *({"status": status, "headers": {"Location": f"{OMNICHANNEL}/elsewhere"}} for status in (301, 302, 307, 308)),
    *({"status": status, "json": ACCEPTED} for status in (500, 502, 503, 504)),
]
REFUSED: list[tuple[int, type[errors.MessenteError], str]] = [
    (400, errors.RequestRefused, 'answered "HTTP 400 Invalid data: The text is missing.". The parameters'),
    (401, errors.CredentialsRefused, "HTTP 401 Invalid data: The text is missing.*USERNAME and PASSWORD"),
    (403, errors.RequestRefused, 'answered "HTTP 403: Invalid data: The text is missing."'),
    (404, errors.RequestRefused, 'answered "HTTP 404: Invalid data: The text is missing."'),
    (405, errors.RequestRefused, "HTTP 405: Invalid data"),
    (413, errors.RequestRefused, "HTTP 413: Invalid data"),
    (429, errors.RateLimited, "HTTP 429"),
]


def test_send_omnimessage__request_and_ids(messente: Messente) -> None:
    messente.add(responses.POST, SEND, json=ACCEPTED, status=201)
    accepted = client().send_omnimessage(PAYLOAD)
    assert accepted == AcceptedOmnimessage(
        omnimessage_id="an-omni-id",
        to="+37255500000",
        channels=(SentChannel(channel="sms", message_id="an-id", sender="Shop"),),
    )
    request = messente.calls[0].request
    assert json.loads(request.body or b"") == PAYLOAD
    assert request.headers["Content-Type"] == "application/json"
    scheme, _, credentials = request.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{USERNAME}:{PASSWORD}")


def test_send_omnimessage__second_request_has_its_own_body(messente: Messente) -> None:
    for number in range(2):
        messente.add(responses.POST, SEND, json={**ACCEPTED, "omnimessage_id": f"id-{number}"}, status=201)
    messente_client = client()
    ids = [messente_client.send_omnimessage({**PAYLOAD, "to": f"+3725550000{n}"}).omnimessage_id for n in range(2)]
    assert ids == ["id-0", "id-1"]
    assert [json.loads(call.request.body or b"")["to"] for call in messente.calls] == ["+37255500000", "+37255500001"]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (None, 0),
        ("sms", 0),
        ([], 0),
        ([{"channel": "sms"}], 0),
        ([CHANNEL, {"channel": "sms", "message_id": ""}], 0),
        ([CHANNEL, "sms"], 0),
        ([{"message_id": "an-id"}], 1),
        ([CHANNEL, {**CHANNEL, "channel": "viber"}], 2),
    ],
)
def test_send_omnimessage__channels_that_are_not_readable_keep_the_id(
    messente: Messente, channels: Any, expected: int
) -> None:
    messente.add(responses.POST, SEND, json={"omnimessage_id": "an-omni-id", "messages": channels}, status=201)
    accepted = client().send_omnimessage(PAYLOAD)
    assert (accepted.omnimessage_id, len(accepted.channels)) == ("an-omni-id", expected)


@pytest.mark.parametrize("answer", UNREADABLE, ids=repr)
def test_send_omnimessage__unreadable_answer_is_outcome_unknown(messente: Messente, answer: dict[str, Any]) -> None:
    messente.add(responses.POST, SEND, **answer)
    with pytest.raises(errors.OutcomeUnknown) as raised:
        client().send_omnimessage(PAYLOAD)
    assert len(messente.calls) == 1
    assert_error_hides_password(raised.value)


@pytest.mark.parametrize("failure", MAY_HAVE_ARRIVED)
def test_send_omnimessage__no_answer_is_outcome_unknown(messente: Messente, failure: Any) -> None:
    messente.add(responses.POST, SEND, body=failure())
    with pytest.raises(errors.OutcomeUnknown, match="may have arrived"):
        client().send_omnimessage(PAYLOAD)
    assert len(messente.calls) == 1


@pytest.mark.parametrize("failure", NEVER_LEFT)
def test_send_omnimessage__no_connection_is_not_sent(messente: Messente, failure: Any) -> None:
    messente.add(responses.POST, SEND, body=failure())
    with pytest.raises(errors.ConnectionFailed):
        client().send_omnimessage(PAYLOAD)


@pytest.mark.parametrize(("status", "error", "text"), REFUSED)
def test_send_omnimessage__refusal_has_the_titles(
    messente: Messente, status: int, error: type[errors.MessenteError], text: str
) -> None:
    messente.add(responses.POST, SEND, json=ERROR, status=status)
    with pytest.raises(errors.MessenteError, match=text) as raised:
        client().send_omnimessage(PAYLOAD)
    assert type(raised.value) is error
    assert len(messente.calls) == 1
    assert "credit" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", 'answered "HTTP 403".'),
        ("<html>", 'answered "HTTP 403".'),
        (json.dumps({"errors": "no"}), 'answered "HTTP 403".'),
        (json.dumps({"errors": [None, {"title": None}, {"title": "Forbidden"}]}), 'answered "HTTP 403: Forbidden".'),
        (json.dumps({"title": "Forbidden", "detail": "No."}), 'answered "HTTP 403: Forbidden: No.".'),
        (json.dumps({"errors": [{"title": "a"}, {"title": "b"}]}), 'answered "HTTP 403: a; b".'),
        (json.dumps({"errors": [{"title": "a\x1b\nb"}]}), r'answered "HTTP 403: a\\x1b\\nb".'),
    ],
)
def test_send_omnimessage__refusal_without_titles(messente: Messente, body: str, text: str) -> None:
    messente.add(responses.POST, SEND, body=body, status=403)
    with pytest.raises(errors.RequestRefused, match=text):
        client().send_omnimessage(PAYLOAD)


@pytest.mark.parametrize("status", [201, 400, 401, 403])
def test_send_omnimessage__password_in_the_answer_is_masked(messente: Messente, status: int) -> None:
    messente.add(responses.POST, SEND, json={"errors": [{"title": f"Bad password {PASSWORD}"}]}, status=status)
    with pytest.raises((errors.RequestRefused, errors.OutcomeUnknown)) as raised:
        client().send_omnimessage(PAYLOAD)
    assert_error_hides_password(raised.value)


def test_send_omnimessage__is_tried_although_the_host_failed(messente: Messente) -> None:
    """The circuit breaker postpones polls. A message is sent or fails now."""
    messente_client = client()
    messente.add(responses.POST, SEND, body=NEVER_LEFT[0]())
    messente.add(responses.POST, SEND, json=ACCEPTED, status=201)
    with pytest.raises(errors.ConnectionFailed):
        messente_client.send_omnimessage(PAYLOAD)
    with pytest.raises(errors.HostUnavailable):
        messente_client.get_omnimessage_status("an-omni-id")
    assert messente_client.send_omnimessage(PAYLOAD).omnimessage_id == "an-omni-id"


def accepted(number: int) -> dict[str, Any]:
    return {"omnimessage_id": f"id-{number}", "to": f"3725550000{number}", "messages": [CHANNEL]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([accepted(0), accepted(1), accepted(2)], ["id-0", "id-1", "id-2"]),
        ([accepted(0), ERROR, accepted(2)], ["id-0", "Invalid data: The text is missing.", "id-2"]),
        ([accepted(0), ERROR["errors"][0], accepted(2)], ["id-0", "Invalid data: The text is missing.", "id-2"]),
        ([ERROR, ERROR, ERROR], ["Invalid data"] * 3),
        ([{"omnimessage_id": "id-0"}, accepted(1), accepted(2)], ["id-0", "id-1", "id-2"]),
        # An error of Messente's server, and an item that is neither, do not show whether the message was sent.
        ([accepted(0), {"title": "Internal server error"}, accepted(2)], ["id-0", None, "id-2"]),
        ([accepted(0), {}, accepted(2)], ["id-0", None, "id-2"]),
        ([accepted(0), None, accepted(2)], ["id-0", None, "id-2"]),
        # Another order, fewer items and more items: the recipient decides, and an error has no recipient.
        ([accepted(1), accepted(0), accepted(2)], ["id-0", "id-1", "id-2"]),
        ([accepted(1), ERROR, accepted(2)], [None, "id-1", "id-2"]),
        ([accepted(0), accepted(2)], ["id-0", None, "id-2"]),
        ([accepted(0), accepted(1), accepted(2), ERROR], ["id-0", "id-1", "id-2"]),
        ([accepted(0), accepted(0), accepted(2)], [None, None, "id-2"]),
        ([], [None] * 3),
    ],
)
def test_send_omnimessages__matches_each_item(messente: Messente, answer: Any, expected: list[str | None]) -> None:
    messente.add(responses.POST, BULK, json={"messages": answer}, status=201)
    payloads = [{**PAYLOAD, "to": f"+3725550000{number}"} for number in range(3)]
    results = client().send_omnimessages(payloads)
    assert json.loads(messente.calls[0].request.body or b"") == {"messages": payloads}
    for result, value in zip(results, expected, strict=True):
        if value is None:
            assert isinstance(result, errors.OutcomeUnknown)
        elif value.startswith("id-"):
            assert isinstance(result, AcceptedOmnimessage)
            assert result.omnimessage_id == value
        else:
            assert isinstance(result, errors.RequestRefused)
            assert value in str(result)


def test_send_omnimessages__repeated_recipient_needs_the_order(messente: Messente) -> None:
    messente.add(responses.POST, BULK, json={"messages": [accepted(1), accepted(0), accepted(0)]}, status=201)
    payloads = [{**PAYLOAD, "to": f"+3725550000{number}"} for number in (0, 0, 1)]
    first, second, third = client().send_omnimessages(payloads)
    assert isinstance(first, errors.OutcomeUnknown)
    assert isinstance(second, errors.OutcomeUnknown)
    assert isinstance(third, AcceptedOmnimessage)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *(({"status": status, "json": ERROR}, error) for status, error, _ in REFUSED),
        *((answer, errors.OutcomeUnknown) for answer in UNREADABLE if answer.get("json") != {"messages": [CHANNEL]}),
        ({"status": 201, "json": {"messages": {}}}, errors.OutcomeUnknown),
        ({"body": MAY_HAVE_ARRIVED[0]()}, errors.OutcomeUnknown),
        ({"body": NEVER_LEFT[0]()}, errors.ConnectionFailed),
    ],
    ids=repr,
)
def test_send_omnimessages__error_of_the_request(
    messente: Messente, answer: dict[str, Any], error: type[Exception]
) -> None:
    body: Any = answer.get("json") or {}
    if body.get("omnimessage_id") and answer["status"] == 201:
        answer = {"status": 201, "json": {"omnimessage_id": body["omnimessage_id"]}}
    messente.add(responses.POST, BULK, **answer)
    with pytest.raises((errors.MessenteError, errors.OutcomeUnknown)) as raised:
        client().send_omnimessages([PAYLOAD])
    assert type(raised.value) is error
    assert len(messente.calls) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 202, "json": {}}, None),
        ({"status": 202, "body": ""}, None),
        ({"status": 200, "json": {}}, errors.UnreadableResponse),
        ({"status": 302}, errors.UnreadableResponse),
        ({"status": 400, "json": ERROR}, errors.RequestRefused),
        ({"status": 401, "json": ERROR}, errors.CredentialsRefused),
        ({"status": 403, "json": ERROR}, errors.RequestRefused),
        ({"status": 404, "json": ERROR}, errors.UnknownMessage),
        ({"status": 429}, errors.RateLimited),
        ({"status": 500}, errors.ServerFailure),
        ({"body": MAY_HAVE_ARRIVED[0]()}, errors.NoResponse),
        ({"body": NEVER_LEFT[0]()}, errors.ConnectionFailed),
    ],
    ids=repr,
)
def test_cancel_omnimessage__answer(messente: Messente, answer: dict[str, Any], error: Any) -> None:
    messente.add(responses.DELETE, f"{SEND}/an%2Fid", **answer)
    if error is None:
        client().cancel_omnimessage("an/id")
        return
    with pytest.raises(error):
        client().cancel_omnimessage("an/id")
