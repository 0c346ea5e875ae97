"""The response codes of the SMS API for calls that were not successful, each with its meaning and advice."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Self

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


# HTTP statuses with which the Omnichannel API refuses a request, and the response codes that have the same meaning.
HTTP_STATUSES = {"HTTP 400": "ERROR 102", "HTTP 401": "ERROR 101", "HTTP 404": "ERROR 107"}


class ResponseCode(enum.StrEnum):
    """A response code of the SMS API other than ``OK`` (documentation: "SMS API", response codes).

    Messente's documents disagree on codes 105 to 107, so their meanings contain only what all documents state.
    """

    meaning: StrPromise
    advice: StrPromise

    def __new__(cls, answer: str, meaning: StrPromise, advice: StrPromise) -> Self:
        member = str.__new__(cls, answer)
        member._value_ = answer
        member.meaning = meaning
        member.advice = advice
        return member

    WRONG_CREDENTIALS = (
        "ERROR 101",
        _("Messente refused the user name or the password."),
        _("Compare USERNAME and PASSWORD with the API settings in Messente's dashboard."),
    )
    WRONG_PARAMETERS = (
        "ERROR 102",
        _("The parameters of the request were wrong or incomplete."),
        _("Check the recipient, the text and the sender of this message."),
    )
    IP_NOT_ALLOWED = (
        "ERROR 103",
        _("Messente does not accept requests from this server's IP address."),
        _("Add the address to the allowed addresses in Messente's dashboard."),
    )
    COUNTRY_NOT_FOUND = (
        "ERROR 104",
        _("Messente found no country for this number."),
        _("Check that the number is in international format, with + and the country's prefix."),
    )
    DESTINATION_105 = (
        "ERROR 105",
        _("Messente did not accept the destination or the number's format."),
        _("Check the number. If it is correct, ask Messente's support."),
    )
    DESTINATION_106 = (
        "ERROR 106",
        _("Messente did not accept the destination."),
        _("Ask Messente's support whether the country is open for this account."),
    )
    CREDIT_OR_UNKNOWN_ID = (
        "ERROR 107",
        _("Messente did not find the message ID or, when sending, the account had too little credit."),
        _("When sending, check the account's credit."),
    )
    BLACKLISTED = (
        "ERROR 108",
        _("The number is blacklisted."),
        _("Check the account's blacklist in Messente's dashboard."),
    )
    SENDER_NOT_ACTIVATED = (
        "ERROR 111",
        _("The sender name is not activated for this account."),
        _("Verify the sender name with Messente, or use a sender name that is already verified."),
    )
    NO_REPORT_YET = (
        "FAILED 102",
        _("There is no report about this message yet."),
        _("Poll again after at least 5 seconds."),
    )
    SERVER_FAILURE = (
        "FAILED 209",
        _("Messente's server failed."),
        _("Use the backup server, or try again later."),
    )

    @classmethod
    def from_code(cls, answer: str) -> ResponseCode | None:
        """Return the member for the first two words of ``answer`` in any case, or None for an unknown code.

        Args:
            answer: a response of the SMS API such as ``ERROR 101``, or an HTTP status such as ``HTTP 401``.
        """
        words = " ".join(answer.upper().split()[:2])
        return cls._value2member_map_.get(HTTP_STATUSES.get(words, words))  # type: ignore[return-value]
