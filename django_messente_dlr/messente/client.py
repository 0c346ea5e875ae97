"""`MessenteClient`: send, ask, balance and cancel, in plain values and typed errors.

Credentials travel in the body or in the Authorization header, never in a URL, so that no log of URLs holds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NoReturn
from urllib.parse import quote, quote_plus

from requests.auth import HTTPBasicAuth

from django_messente_dlr.messente import errors, field_parsers
from django_messente_dlr.messente.http_errors import check_http
from django_messente_dlr.messente.http_session import Body
from django_messente_dlr.messente.parsers import parse_answer, parse_status
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.messente.send_options import check_options
from django_messente_dlr.messente.transport import Transport

# Documentation: «SMS API», hosts. The second is the backup of the first.
API_HOSTS = ("https://api2.messente.com", "https://api3.messente.com")
OMNICHANNEL_URL = "https://api.messente.com/v1"
# Six places are what its column holds. Those behind them, such as a float has, are no credit to speak of.
BALANCE = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,6})?)(?:(?<=\.[0-9]{6})[0-9]{1,30})?", re.ASCII)
# A shorter one could be part of an id.
SHORTEST_HIDDEN = 6


_REFUSALS: Mapping[ResponseCode | None, type[errors.RequestRefused]] = {
    ResponseCode.WRONG_CREDENTIALS: errors.CredentialsRefused,
    ResponseCode.IP_NOT_ALLOWED: errors.IpAddressRefused,
}


class MessenteClient:
    """Speaks with Messente for one account. Safe to share between threads.

    Args:
        username: the user name of the account's HTTP API key.
        password: its password.
        hosts: the SMS API's hosts with their scheme, in the order of preference.
        omnichannel_url: the Omnichannel API's base URL with its version.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for each piece of an answer.
    """

    def __init__(
        self,
        username: str,
        password: str,
        *,
        hosts: Sequence[str] = API_HOSTS,
        omnichannel_url: str = OMNICHANNEL_URL,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
    ) -> None:
        self._credentials = {"username": username, "password": password}
        self._omnichannel_url = omnichannel_url.rstrip("/")
        self._transport = Transport(hosts, connect_timeout=connect_timeout, read_timeout=read_timeout)

    def send(self, to: str, text: str, *, dlr_url: str = "", sender: str = "", **options: str | int) -> str:
        """Send one SMS and return its ``sms_unique_id`` (documentation: «SMS API», ``send_sms``).

        The backup host is tried only where the first cannot have taken the message: it could not be connected
        to, or it answered ``FAILED 209``.

        Args:
            to: the recipient's number in international format.
            text: the message's text.
            dlr_url: where Messente is to report; "" for the account's default.
            sender: the sender's name; "" for the account's default.
            options: further parameters of Messente's, such as ``validity`` (minutes), ``time_to_send`` (Unix
                seconds), ``autoconvert``, ``charset``, ``udh`` or ``text_store``.

        Raises:
            ValueError: see `check_options`.
            OutcomeUnknown: the message may or may not have been sent. Do not send it again.
            MessenteError: it was not sent.
        """
        check_options(options)
        # Of gettext_lazy's, requests would send each letter as a text of its own.
        parameters = {"to": to, "text": str(text), "from": str(sender), "dlr-url": dlr_url}
        parameters |= {name.replace("_store", "-store"): str(value) for name, value in options.items()}
        answer = self._call("send_sms", {k: v for k, v in parameters.items() if v}, idempotent=False)
        words = answer.split()
        if (
            words[0].upper() == "OK"
            and len(words) > 1
            and len(words[1]) <= field_parsers.MAX_ID
            and words[1].isprintable()
        ):
            return words[1]
        if words[0].upper() in {"ERROR", "FAILED"}:
            _refuse(answer)
        # Whatever this is, it does not say that the message was not sent.
        raise errors.OutcomeUnknown(f"Messente answered «{answer[:80]}» to send_sms.")

    def get_report(self, sms_unique_id: str) -> Report | None:
        """Return the report about one SMS, or None where there is none yet (documentation: ``get_dlr_response``).

        Args:
            sms_unique_id: the id that `send` returned.

        Raises:
            UnknownMessage: Messente does not know the id, yet or any more: it keeps reports for 48 hours.
            HostUnavailable: all hosts have failed a moment ago and are left alone; ask again later.
            MessenteError: the question could not be answered.
        """
        answer = self._call("get_dlr_response", {"sms_unique_id": sms_unique_id}, patient=True)
        if ResponseCode.from_code(answer) is ResponseCode.CREDIT_OR_UNKNOWN_ID:
            raise errors.UnknownMessage(answer)
        try:
            return parse_answer(answer, sms_unique_id=sms_unique_id)
        except errors.MalformedReport:
            _refuse(answer)

    def get_omnimessage_status(self, omnimessage_id: str) -> list[Report | None]:
        """Return the reports about an omnimessage, one for each channel's message, or None where there is none yet.

        Args:
            omnimessage_id: the id that the Omnichannel API gave to the whole omnimessage.

        Raises:
            UnknownMessage: Messente does not know the id.
            HostUnavailable: the host has failed a moment ago and is left alone; ask again later.
            MessenteError: the question could not be answered.
        """
        response = self._transport.get(
            f"{self._omnichannel_url}/omnimessage/{quote(omnimessage_id, safe='')}/status",
            base=self._omnichannel_url,
            # As bytes: requests would encode a str as latin-1, which not every password fits.
            auth=HTTPBasicAuth(self._credentials["username"].encode(), self._credentials["password"].encode()),
        )
        if response.status_code == 401:
            raise errors.CredentialsRefused("HTTP 401")
        if response.status_code == 404:
            raise errors.UnknownMessage("HTTP 404")
        check_http(response, where=self._omnichannel_url)
        try:
            return parse_status(response.content)
        except errors.MalformedReport as exc:
            raise errors.UnreadableResponse(f"Messente's status of an omnimessage cannot be read: {exc}.") from exc

    def get_balance(self) -> Decimal:
        """Return the account's credit in EUR (documentation: ``get_balance``).

        Raises:
            MessenteError: the question could not be answered.
        """
        answer = self._call("get_balance", {})
        words = answer.split()
        if words[0].upper() == "OK" and len(words) > 1 and (told := BALANCE.fullmatch(words[1])):
            return Decimal(told[1])
        _refuse(answer)

    def cancel(self, sms_unique_id: str) -> None:
        """Cancel an SMS that waits for its ``time_to_send`` (documentation: ``cancel_sms``).

        Raises:
            UnknownMessage: Messente does not know the id.
            MessenteError: it could not be cancelled.
        """
        answer = self._call("cancel_sms", {"sms_unique_id": sms_unique_id})
        if ResponseCode.from_code(answer) is ResponseCode.CREDIT_OR_UNKNOWN_ID:
            raise errors.UnknownMessage(answer)
        if answer.split()[0].upper() != "OK":
            _refuse(answer)

    def close(self) -> None:
        """Close the calling thread's connections."""
        self._transport.close()

    def _call(
        self, endpoint: str, parameters: Mapping[str, str], *, idempotent: bool = True, patient: bool = False
    ) -> str:
        body = Body({**self._credentials, **parameters})
        return self._hidden(self._transport.call(endpoint, body, idempotent=idempotent, patient=patient))

    def _hidden(self, answer: str) -> str:
        """Return an answer without our password: a proxy's page for a failure may show what it was asked."""
        password = self._credentials["password"]
        if len(password) >= SHORTEST_HIDDEN:
            for spelling in (password, quote(password, safe=""), quote_plus(password)):
                answer = answer.replace(spelling, "•••")
        return answer


def _refuse(answer: str) -> NoReturn:
    """Raise the error that an answer other than the one hoped for stands for."""
    if answer.split(maxsplit=1)[0].upper() not in {"ERROR", "FAILED"}:
        raise errors.UnreadableResponse(f"Messente answered «{answer[:80]}».")
    raise _REFUSALS.get(ResponseCode.from_code(answer), errors.RequestRefused)(answer[:80])
