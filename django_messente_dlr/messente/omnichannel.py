"""The Omnichannel API: send and cancel omnimessages, and get their status. It has one host and no backup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth

from django_messente_dlr.messente import errors, omnichannel_answers
from django_messente_dlr.messente.http_errors import check_http
from django_messente_dlr.messente.http_session import JsonBody
from django_messente_dlr.messente.log_text import mask_password, one_line
from django_messente_dlr.messente.omnichannel_answers import AcceptedOmnimessage
from django_messente_dlr.messente.parsers import parse_status
from django_messente_dlr.messente.recipients import require_allowed
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.messente.transport import Transport

MAX_ANSWER = 300  # characters of a refusal


class OmnichannelCalls:
    """The calls of `MessenteClient` to the Omnichannel API (source: official client messente-api).

    Args:
        transport: makes the requests.
        url: the API's base URL with its version.
        username: the user name of the account's HTTP API key.
        password: the password of the account's HTTP API key.
        allowed_recipients: see `recipients.require_allowed`.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        *,
        username: str,
        password: str,
        allowed_recipients: Collection[str] | None = None,
    ) -> None:
        self._allowed_recipients = allowed_recipients
        self._transport = transport
        self._credentials = {"username": username, "password": password}
        self._omnichannel_url = url.rstrip("/")

    def send_omnimessage(self, payload: Mapping[str, Any]) -> AcceptedOmnimessage:
        """Send one omnimessage and return its ids. It is never sent twice.

        Args:
            payload: the JSON object: ``to`` (E.164), ``messages`` (the channels in the order of preference) and, if
                they are set, ``dlr_url``, ``time_to_send`` (ISO 8601), ``text_store`` and ``priority``.

        Raises:
            OutcomeUnknown: the omnimessage may have been sent: HTTP 5xx, a redirect, or no readable response.
            ConnectionFailed: the request did not reach Messente.
            RateLimited: HTTP 429. The omnimessage was not sent.
            RequestRefused: any other HTTP 4xx. The omnimessage was not sent.
            RecipientForbidden: the recipient is not allowed. No request was made.
        """
        require_allowed(str(payload.get("to", "")), self._allowed_recipients)
        response = self._post("omnimessage", payload)
        answer = omnichannel_answers.parse_accepted(response.content)
        if answer is None:
            raise self._unknown_outcome(response)
        return answer

    def send_omnimessages(
        self, payloads: Sequence[Mapping[str, Any]]
    ) -> list[AcceptedOmnimessage | errors.RequestRefused | errors.OutcomeUnknown]:
        """Send several omnimessages in one request. Return the ids or the error of each, in their order.

        Messente recommends at most 1,000 (documentation: "Omnichannel API", bulk). That its answer has the order of
        the request is inferred. So ``to`` is compared: an item whose place does not agree has an unknown outcome.

        Args:
            payloads: the JSON objects, as for `send_omnimessage`.

        Raises:
            OutcomeUnknown: each of them may have been sent.
            ConnectionFailed: the request did not reach Messente.
            RateLimited: HTTP 429. None was sent.
            RequestRefused: any other HTTP 4xx. None was sent.
            RecipientForbidden: one of the recipients is not allowed. No request was made.
        """
        for payload in payloads:
            require_allowed(str(payload.get("to", "")), self._allowed_recipients)
        response = self._post("omnimessages", {"messages": list(payloads)})
        items = omnichannel_answers.parse_bulk(response.content, [str(payload.get("to", "")) for payload in payloads])
        if items is None:
            raise self._unknown_outcome(response)
        return [item if isinstance(item, AcceptedOmnimessage) else self._item_error(item) for item in items]

    def cancel_omnimessage(self, omnimessage_id: str) -> None:
        """Cancel a scheduled omnimessage (HTTP 202). What Messente answers when it is too late is not documented.

        Args:
            omnimessage_id: the ID that `send_omnimessage` returned.

        Raises:
            UnknownMessage: Messente does not know the ID (HTTP 404).
            MessenteError: the omnimessage was not cancelled, or no response came.
        """
        response = self._request("DELETE", f"omnimessage/{quote(omnimessage_id, safe='')}", can_wait=False)
        if response.status_code == 202:
            return
        self._refuse_unknown_message(response)
        if 400 <= response.status_code < 500 and response.status_code != 429:
            raise self._refusal(response)
        check_http(response, where=self._omnichannel_url)
        raise errors.UnreadableResponse(f"{self._omnichannel_url} answered HTTP {response.status_code}, not 202.")

    def get_omnimessage_status(self, omnimessage_id: str) -> list[Report | None]:
        """Return the reports about an omnimessage, one for each channel's message. None stands for no report yet.

        Args:
            omnimessage_id: the ID that the Omnichannel API returned for the omnimessage.

        Raises:
            UnknownMessage: Messente does not know the ID.
            HostUnavailable: the host failed recently. Try again later.
            MessenteError: the request failed.
        """
        response = self._request("GET", f"omnimessage/{quote(omnimessage_id, safe='')}/status", can_wait=True)
        self._refuse_unknown_message(response)
        check_http(response, where=self._omnichannel_url)
        try:
            return parse_status(response.content)
        except errors.MalformedReport as exc:
            raise errors.UnreadableResponse(f"Messente's status of an omnimessage is not valid: {exc}.") from exc

    def _post(self, path: str, payload: Mapping[str, Any]) -> requests.Response:
        """Return the response to a request that sends messages. Its HTTP status is 2xx."""
        try:
            response = self._request("POST", path, can_wait=False, data=JsonBody(payload))
        except (errors.NoResponse, errors.ServerFailure) as exc:
            raise errors.OutcomeUnknown(f"{exc} The request may have arrived.") from exc
        if response.status_code == 429:
            check_http(response, where=self._omnichannel_url)
        if response.status_code >= 400:
            raise self._refusal(response)
        if response.status_code >= 300:
            raise errors.OutcomeUnknown(
                f"{self._omnichannel_url} answered HTTP {response.status_code}, a redirect. Check OMNICHANNEL_URL. "
                "The request may have been processed."
            )
        return response

    def _request(self, method: str, path: str, *, can_wait: bool, **arguments: Any) -> requests.Response:
        return self._transport.request(
            method,
            f"{self._omnichannel_url}/{path}",
            base=self._omnichannel_url,
            can_wait=can_wait,
            # Encoded here, because requests encodes str as latin-1, which cannot represent every password.
            auth=HTTPBasicAuth(self._credentials["username"].encode(), self._credentials["password"].encode()),
            **arguments,
        )

    def _refuse_unknown_message(self, response: requests.Response) -> None:
        """Raise the error of a request about an omnimessage whose credentials or id Messente does not know."""
        if response.status_code == 401:
            raise errors.CredentialsRefused("HTTP 401")
        if response.status_code == 404:
            raise errors.UnknownMessage("HTTP 404")

    def _refusal(self, response: requests.Response) -> errors.RequestRefused:
        """Return the error of a response with HTTP 4xx, with the titles of Messente's errors."""
        titles = self._mask(omnichannel_answers.parse_errors(response.content))
        status = response.status_code
        if status == 401:
            return errors.CredentialsRefused(f"HTTP 401 {titles}".strip())
        # The colon: HTTP 404 alone has the explanation of an unknown message id, and here it means another URL.
        prefix = "HTTP 400 " if status == 400 else f"HTTP {status}: "
        return errors.RequestRefused(f"{prefix}{titles}".strip(": "))

    def _item_error(self, text: str) -> errors.RequestRefused | errors.OutcomeUnknown:
        """Return the error of an item of a bulk request: "" means that the answer has no item for it."""
        masked = self._mask(text)
        if not masked:
            return errors.OutcomeUnknown("Messente's answer does not show whether this message was accepted.")
        if "server error" in masked.lower():
            return errors.OutcomeUnknown(f'Messente answered "{one_line(masked)}". The message may have been sent.')
        return errors.RequestRefused(masked)

    def _unknown_outcome(self, response: requests.Response) -> errors.OutcomeUnknown:
        answer = one_line(self._mask(response.content.decode("utf-8-sig", "replace").strip()))
        return errors.OutcomeUnknown(
            f'{self._omnichannel_url} answered HTTP {response.status_code} with "{answer}", which has no id. The '
            "request has arrived."
        )

    def _mask(self, text: str) -> str:
        return mask_password(text, self._credentials["password"])[:MAX_ANSWER]
