"""The control URL of the sandbox, which Messente does not have: read and change the balance while it runs.

``GET /sandbox/balance`` returns the balance, and ``PUT`` with an amount as its body changes it. Neither needs
credentials, because the sandbox listens on a loopback address only. A page in a browser cannot send a ``PUT`` to
another origin without a permission that the sandbox does not give.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

from django_messente_dlr.sandbox.http_types import Request, Response, text_response
from django_messente_dlr.sandbox.state import State

BALANCE_PATH = "/sandbox/balance"


class ControlApi:
    """Respond to the requests of the control URL.

    Args:
        state: the balance.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def respond(self, request: Request) -> Response | None:
        """Return the response to a request, or None if its path is not the control URL."""
        if request.path != BALANCE_PATH:
            return None
        return replace(self._respond(request), endpoint=request.path)

    def _respond(self, request: Request) -> Response:
        if request.method not in {"GET", "PUT"}:
            return replace(text_response("HTTP 405"), headers=(("Allow", "GET, PUT"),))
        if request.method == "PUT":
            try:
                self._state.balance = parse_amount(request.body.decode("utf-8", "replace"))
            except ValueError as exc:
                return replace(text_response(str(exc)), status=400)
        return text_response(f"{self._state.balance:.2f}")


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
