"""The control URLs of the sandbox, which Messente does not have: read and change its state while it runs.

- ``GET /sandbox/balance`` returns the balance, and ``PUT`` with an amount as its body changes it.
- ``GET /sandbox/channels`` returns the scenarios selected by channel, and ``PUT`` with lines such as ``viber=001``
  replaces them.
- ``GET /sandbox/accepted`` returns JSON: the number of accepted messages by recipient.

None needs credentials, because the sandbox listens on a loopback address only. A page in a browser cannot send a
``PUT`` to another origin without a permission that the sandbox does not give, and cannot read a response.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from django_messente_dlr.sandbox.channel_content import CHANNELS
from django_messente_dlr.sandbox.http_types import JSON, Request, Response, text_response
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from django_messente_dlr.sandbox.state import State

BALANCE_PATH = "/sandbox/balance"
CHANNELS_PATH = "/sandbox/channels"
ACCEPTED_PATH = "/sandbox/accepted"
METHODS = {BALANCE_PATH: ("GET", "PUT"), CHANNELS_PATH: ("GET", "PUT"), ACCEPTED_PATH: ("GET",)}


class ControlApi:
    """Respond to the requests of the control URLs.

    Args:
        state: the balance, the scenarios by channel and the accepted messages.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def respond(self, request: Request) -> Response | None:
        """Return the response to a request, or None if its path is not a control URL."""
        methods = METHODS.get(request.path)
        if methods is None:
            return None
        if request.method not in methods:
            response = replace(text_response("HTTP 405"), headers=(("Allow", ", ".join(methods)),))
        else:
            response = self._respond(request)
        return replace(response, endpoint=request.path)

    def _respond(self, request: Request) -> Response:
        if request.method == "PUT":
            text = request.body.decode("utf-8", "replace")
            try:
                if request.path == BALANCE_PATH:
                    self._state.balance = parse_amount(text)
                else:
                    self._state.channel_scenarios = parse_channel_scenarios(text)
            except ValueError as exc:
                return replace(text_response(str(exc)), status=400)
        if request.path == ACCEPTED_PATH:
            return Response(body=json.dumps(self._state.accepted), content_type=JSON, summary="OK")
        if request.path == BALANCE_PATH:
            return text_response(f"{self._state.balance:.2f}")
        lines = (f"{channel}={digits}\n" for channel, digits in self._state.channel_scenarios.items())
        return replace(text_response("".join(lines)), summary="OK")


def parse_channel_scenarios(text: str) -> dict[str, str]:
    """Return the digits of scenarios by channel.

    Args:
        text: lines such as ``viber=001``; blank lines are ignored.

    Raises:
        ValueError: a line has another format, or `check_channel_scenarios` rejects the result.
    """
    pairs = [line.split("=") for line in text.split() if line]
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError("Write a channel and a scenario on each line, such as viber=001.")
    return check_channel_scenarios(dict(pairs))


def check_channel_scenarios(channel_scenarios: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of the digits of scenarios by channel.

    Args:
        channel_scenarios: three digits of a scenario by the name of a channel.

    Raises:
        ValueError: a channel or a scenario does not exist, or the scenario refuses the request to send.
    """
    for channel, digits in channel_scenarios.items():
        if channel not in CHANNELS:
            raise ValueError(f'"{channel[:40]}" is not a channel. Use {", ".join(sorted(CHANNELS))}.')
        if digits not in SCENARIOS or SCENARIOS[digits].refusal:
            raise ValueError(
                f'"{digits[:40]}" is not a scenario of reports. Use three digits of the table of '
                "messente_sandbox --help, but none that start with 2: these refuse a request of any channel."
            )
    return dict(channel_scenarios)


def parse_amount(text: str) -> Decimal:
    """Return an amount in EUR.

    Args:
        text: the amount, such as ``707.54``.

    Raises:
        ValueError: the text is no finite number.
    """
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite():
        raise ValueError(f'"{text[:40]}" is not an amount such as 707.54')
    return amount
