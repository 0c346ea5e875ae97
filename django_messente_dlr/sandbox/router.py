"""The router of the sandbox: it passes a request to the API of its path, and writes a line about it."""

from __future__ import annotations

from collections.abc import Callable

from django_messente_dlr.sandbox.callback_sender import CallbackSender
from django_messente_dlr.sandbox.control import ControlApi
from django_messente_dlr.sandbox.http_types import Request, Response, text_response
from django_messente_dlr.sandbox.log_lines import request_line
from django_messente_dlr.sandbox.omnichannel import OmnichannelApi
from django_messente_dlr.sandbox.sms_api import SmsApi
from django_messente_dlr.sandbox.state import State


class Router:
    """Respond to all requests.

    Args:
        state: the accounts and messages.
        callback_sender: sends the callbacks of accepted messages.
        on_event: called with a line of text about each request.
    """

    def __init__(self, state: State, callback_sender: CallbackSender, *, on_event: Callable[[str], None]) -> None:
        self._apis = (SmsApi(state, callback_sender), OmnichannelApi(state, callback_sender), ControlApi(state))
        self._on_event = on_event

    def respond(self, request: Request) -> Response:
        """Return the response to a request: 404 if its path belongs to no API."""
        for api in self._apis:
            if response := api.respond(request):
                break
        else:
            response = text_response("HTTP 404")
        self._on_event(
            request_line(
                method=request.method,
                endpoint=response.endpoint,
                recipient=response.recipient,
                status=response.status,
                summary=response.summary + (" (too late)" if response.times_out else ""),
            )
        )
        return response
