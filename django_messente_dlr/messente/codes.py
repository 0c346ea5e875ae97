"""Messente's status codes (``stat``) and error codes (``err``), each with its class, its meaning and advice.

The classes of the error codes are Messente's (documentation: "Delivery Report", error codes). The documentation
does not assign the status codes to classes. That mapping is inferred from the names of the codes.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Self

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


class DeliveryClass(enum.StrEnum):
    """The classes of reports (documentation: "Delivery Report"), and ``SEEN``.

    Every class except ``SENT`` is final. A message can also remain ``SENT`` without a final report.
    """

    SENT = "sent"
    FAILED = "failed"
    REJECTED = "rejected"
    DELIVERED = "delivered"
    SEEN = "seen"


class Stat(enum.StrEnum):
    """A status code of a message, from any source.

    Callbacks contain ``DELIVRD`` to ``NACK``. The Omnichannel API adds ``ACK`` and ``SEEN``. ``DELIVERED`` and
    ``SENT`` come from ``get_dlr_response`` and from the older parameter ``status``.
    """

    delivery_class: DeliveryClass
    meaning: StrPromise

    def __new__(cls, code: str, delivery_class: DeliveryClass, meaning: StrPromise) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.delivery_class = delivery_class
        member.meaning = meaning
        return member

    DELIVRD = (
        "DELIVRD",
        DeliveryClass.DELIVERED,
        _("Delivered to the handset or, in some markets, the operator."),
    )
    DELIVERED = "DELIVERED", DeliveryClass.DELIVERED, _("Delivered.")
    SEEN = "SEEN", DeliveryClass.SEEN, _("Delivered, and the recipient has opened it.")
    ACCEPTD = "ACCEPTD", DeliveryClass.SENT, _("Accepted for delivery; a final report may follow.")
    ACK = "ACK", DeliveryClass.SENT, _("Acknowledged; a final report may follow.")
    SENT = "SENT", DeliveryClass.SENT, _("Sent on; a final report may follow.")
    UNKNOWN = "UNKNOWN", DeliveryClass.SENT, _("The status is not known yet.")
    UNDELIV = "UNDELIV", DeliveryClass.FAILED, _("The message could not be delivered.")
    FAILED = "FAILED", DeliveryClass.FAILED, _("Delivery failed.")
    EXPIRED = "EXPIRED", DeliveryClass.FAILED, _("The message expired before delivery.")
    DELETED = "DELETED", DeliveryClass.FAILED, _("The message was deleted before delivery.")
    NACK = "NACK", DeliveryClass.FAILED, _("The next network on the route refused the message.")
    REJECTD = "REJECTD", DeliveryClass.REJECTED, _("The message was rejected.")

    @classmethod
    def from_code(cls, code: str) -> Stat | None:
        """Return the member for a status code in any case, or None for an unknown one."""
        return cls.__members__.get(code.upper())


class ErrorCode(enum.IntEnum):
    """An error code, the ``err`` of a report (documentation: "Delivery Report", error codes)."""

    delivery_class: DeliveryClass | None
    meaning: StrPromise
    advice: StrPromise

    def __new__(
        cls, number: int, delivery_class: DeliveryClass | None, meaning: StrPromise, advice: StrPromise
    ) -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.delivery_class = delivery_class
        member.meaning = meaning
        member.advice = advice
        return member

    NO_ERROR = (0, None, _("No error"), _("No action is needed."))
    DELIVERY_FAILURE = (
        1,
        DeliveryClass.FAILED,
        _("Delivery failure"),
        _("Check that the number is in use, then send the message again or reach the recipient another way."),
    )
    EXPIRED = (
        2,
        DeliveryClass.FAILED,
        _("Expired before delivery"),
        _(
            "The phone was unreachable during the message's validity period (6 hours by default). Send the message "
            "again if it is still needed."
        ),
    )
    INVALID_NUMBER = (
        3,
        DeliveryClass.FAILED,
        _("Invalid number"),
        _("Ask the recipient for the right number; sending again will not help."),
    )
    OUT_OF_CREDITS = (
        4,
        DeliveryClass.REJECTED,
        _("Account out of credits"),
        _("Stop sending and add credit to the Messente account, then send the message again."),
    )
    UNKNOWN_DESTINATION = (
        5,
        DeliveryClass.FAILED,
        _("Country or operator not determined"),
        _("Check that the number is in international format, with + and the country's prefix."),
    )
    IDENTICAL_MESSAGES = (
        6,
        DeliveryClass.REJECTED,
        _("Too many identical messages"),
        _("The number is blocked for this text for a while. Wait up to an hour, or send a different text."),
    )
    SENDER_NOT_ALLOWED = (
        7,
        DeliveryClass.REJECTED,
        _("Sender name not allowed"),
        _("Verify the sender name with Messente, or use a sender name that is already verified."),
    )
    BLACKLISTED = (
        8,
        DeliveryClass.REJECTED,
        _("Number or operator blacklisted"),
        _("Check the account's blacklist, and ask Messente's support if the number is not on it."),
    )
    UNROUTABLE = (
        9,
        DeliveryClass.REJECTED,
        _("No route"),
        _("There is currently no route to this operator. Ask Messente's support."),
    )
    SEEN = (
        10,
        DeliveryClass.SEEN,
        _("Seen by the recipient"),
        _("No action is needed: this is not an error."),
    )
    TEMPORARY = (
        999,
        DeliveryClass.FAILED,
        _("Temporary error"),
        _("Send the message again."),
    )

    @classmethod
    def from_code(cls, number: int | None) -> ErrorCode | None:
        """Return the member for an error code, or None for None or an unknown error code."""
        return cls._value2member_map_.get(number)  # type: ignore[return-value]
