"""The log output of requests and urllib3, which name URLs and hosts at the level DEBUG."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing, suppress
from urllib.parse import quote_plus

import pytest

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.client import MessenteClient
from tests.integration.messente_sockets.wire import Wire, answering, hanging_up, raw
from tests.unit.messente.answering import CALLS, PASSWORD, client
from tests.unit.messente.test_parse_omnichannel import OMNIMESSAGE
from tests.unit.messente.test_secrets import assert_no_password


def test_logs__hold_no_password_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ExitStack() as stack:
        healthy, closing_at_once, failing = (
            stack.enter_context(Wire(behave)) for behave in (answering(), hanging_up, raw(b"HTTP/1.1 500 X\r\n\r\n"))
        )
        for hosts in (
            [healthy.host],
            [closing_at_once.host, healthy.host],
            [failing.host, closing_at_once.host],
            ["http://127.0.0.1:9"],
        ):
            messente_client: MessenteClient = stack.enter_context(
                closing(client(hosts=hosts, omnichannel_url=f"{hosts[0]}/v1"))
            )
            for call in CALLS.values():
                with suppress(errors.MessenteError, errors.OutcomeUnknown):
                    call(messente_client)
            with suppress(errors.MessenteError):
                messente_client.get_omnimessage_status(OMNIMESSAGE)
        assert PASSWORD.encode() not in b"".join(healthy.requests)  # the body holds it percent-encoded
        assert quote_plus(PASSWORD).encode() in b"".join(healthy.requests)
    output = "\n".join(f"{record.getMessage()} {record.args!r} {record.__dict__!r}" for record in caplog.records)
    assert "urllib3" in output
    assert "send_sms" in output
    assert_no_password(output)
