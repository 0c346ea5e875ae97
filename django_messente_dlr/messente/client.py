"""`MessenteClient`: both APIs of Messente for one account. The SMS API is here: sending, reports and the balance.

Credentials are sent in the body or in the Authorization header, never in a URL. URLs are often logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from django_messente_dlr.messente import errors, field_parsers
from django_messente_dlr.messente.http_session import Body
from django_messente_dlr.messente.log_text import mask_password, one_line
from django_messente_dlr.messente.omnichannel import OmnichannelCalls
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.messente.recipients import require_allowed
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.messente.send_options import check_options
from django_messente_dlr.messente.transport import Transport

# Documentation: "SMS API", hosts. The second host is the backup of the first.
API_HOSTS = ("https://api2.messente.com", "https://api3.messente.com")
OMNICHANNEL_URL = "https://api.messente.com/v1"
# The column of the balance has six decimal places. Further digits, which a formatted float can have, are dropped.
BALANCE_PATTERN = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,6})?)(?:(?<=\.[0-9]{6})[0-9]{1,30})?", re.ASCII)

_REFUSAL_CLASSES: Mapping[ResponseCode | None, type[errors.RequestRefused]] = {
    ResponseCode.WRONG_CREDENTIALS: errors.CredentialsRefused,
    ResponseCode.IP_NOT_ALLOWED: errors.IpAddressRefused,
}


class MessenteClient(OmnichannelCalls):
    """Call Messente's APIs for one account. Threads may share an instance.

    Args:
        username: the user name of the account's HTTP API key.
        password: the password of the account's HTTP API key.
        hosts: the SMS API's hosts with their scheme, the preferred one first.
        omnichannel_url: the Omnichannel API's base URL with its version.
        connect_timeout: the seconds to wait for a connection.
        read_timeout: the seconds to wait for each part of a response.
        total_timeout: the seconds for one exchange with a host, which then fails as after a read time-out.
        allowed_recipients: the numbers that messages may be sent to, as digits; a prefix ends with "*". None allows
            every number.
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
        total_timeout: float = 20.0,
        allowed_recipients: Collection[str] | None = None,
    ) -> None:
        transport = Transport(
            hosts, connect_timeout=connect_timeout, read_timeout=read_timeout, total_timeout=total_timeout
        )
        super().__init__(
            transport,
            omnichannel_url,
            username=username,
            password=password,
            allowed_recipients=allowed_recipients,
        )

    def send(self, to: str, text: str, *, dlr_url: str = "", sender: str = "", **options: str | int) -> str:
        """Send one SMS and return its ``sms_unique_id`` (documentation: "SMS API", ``send_sms``).

        The backup host is used only if the first host cannot have accepted the message: no connection was
        established, or the response was ``FAILED 209``.

        Args:
            to: the recipient's number in international format.
            text: the message's text.
            dlr_url: the callback URL for reports, or "" for the account's default.
            sender: the sender's name, or "" for the account's default.
            options: further parameters of Messente's ``send_sms``, such as ``validity`` (minutes),
                ``time_to_send`` (Unix seconds), ``autoconvert``, ``charset``, ``udh`` or ``text_store``.

        Raises:
            ValueError: see `check_options`.
            OutcomeUnknown: the message may have been sent. Do not send it again.
            RecipientForbidden: the recipient is not allowed. No request was made.
            MessenteError: the message was not sent.
        """
        require_allowed(to, self._allowed_recipients)
        check_options(options)
        # requests would send each character of a gettext_lazy string as a separate value.
        parameters = {"to": to, "text": str(text), "from": str(sender), "dlr-url": dlr_url}
        parameters |= {name.replace("_store", "-store"): str(value) for name, value in options.items()}
        answer = self._call("send_sms", {k: v for k, v in parameters.items() if v}, idempotent=False)
        words = answer.split()
        sms_unique_id = words[1] if words[0].upper() == "OK" and len(words) > 1 else ""
        if 0 < len(sms_unique_id) <= field_parsers.MAX_ID and sms_unique_id.isprintable():
            return sms_unique_id
        if words[0].upper() in {"ERROR", "FAILED"}:
            _raise_refusal(answer)
        # An unexpected response does not prove that the message was not sent.
        raise errors.OutcomeUnknown(f'Messente answered "{one_line(answer)}" to send_sms.')

    def get_report(self, sms_unique_id: str) -> Report | None:
        """Return the report about one SMS, or None if there is none yet (documentation: ``get_dlr_response``).

        Args:
            sms_unique_id: the ID that `send` returned.

        Raises:
            UnknownMessage: Messente does not know the ID, not yet or no longer. It keeps reports for 48 hours.
            HostUnavailable: all hosts failed recently. Try again later.
            MessenteError: the request failed.
        """
        answer = self._call("get_dlr_response", {"sms_unique_id": sms_unique_id}, can_wait=True)
        if ResponseCode.from_code(answer) is ResponseCode.CREDIT_OR_UNKNOWN_ID:
            raise errors.UnknownMessage(answer)
        try:
            return parse_answer(answer, sms_unique_id=sms_unique_id)
        except errors.MalformedReport:
            _raise_refusal(answer)

    def get_balance(self) -> Decimal:
        """Return the account's credit in EUR (documentation: ``get_balance``).

        Raises:
            MessenteError: the request failed.
        """
        answer = self._call("get_balance", {})
        words = answer.split()
        if words[0].upper() == "OK" and len(words) > 1 and (balance := BALANCE_PATTERN.fullmatch(words[1])):
            return Decimal(balance[1])
        _raise_refusal(answer)

    def cancel(self, sms_unique_id: str) -> None:
        """Cancel an SMS that is scheduled with ``time_to_send`` (documentation: ``cancel_sms``).

        If a host's answer is lost, the request is repeated at the next host, which may not know an SMS that the first
        one has cancelled. So only "OK" of that host counts.

        Raises:
            UnknownMessage: Messente does not know the ID.
            NoResponse, ServerFailure: the SMS may be cancelled.
            MessenteError: the SMS was not cancelled.
        """
        lost: list[errors.MessenteError] = []
        try:
            self._cancel(sms_unique_id, on_lost=lost.append)
        except errors.MessenteError as exc:
            if not lost or exc is lost[-1]:
                raise
            raise errors.NoResponse(
                f"{lost[0]} The first request may have cancelled the message, so this answer of the next host does "
                f"not count: {exc}"
            ) from exc

    def _cancel(self, sms_unique_id: str, *, on_lost: Callable[[errors.MessenteError], object]) -> None:
        answer = self._call("cancel_sms", {"sms_unique_id": sms_unique_id}, on_lost=on_lost)
        if ResponseCode.from_code(answer) is ResponseCode.CREDIT_OR_UNKNOWN_ID:
            raise errors.UnknownMessage(answer)
        if answer.split()[0].upper() != "OK":
            _raise_refusal(answer)

    def close(self) -> None:
        """Close the connections of the calling thread."""
        self._transport.close()

    def _call(self, endpoint: str, parameters: Mapping[str, str], *, idempotent: bool = True, **options: Any) -> str:
        body = Body({**self._credentials, **parameters})
        answer = self._transport.call(endpoint, body, idempotent=idempotent, **options)
        return mask_password(answer, self._credentials["password"])


def _raise_refusal(answer: str) -> NoReturn:
    """Raise the error that matches a response other than the expected one."""
    if answer.split(maxsplit=1)[0].upper() not in {"ERROR", "FAILED"}:
        raise errors.UnreadableResponse(f'Messente answered "{one_line(answer)}".')
    raise _REFUSAL_CLASSES.get(ResponseCode.from_code(answer), errors.RequestRefused)(answer[:80])
