"""The settings for staging: ``ALLOWED_RECIPIENTS`` and ``OVERRIDE_RECIPIENT``.

Whatever calls a backend calls `addressed` before. `MessenteClient` checks ``ALLOWED_RECIPIENTS`` once more, so that
no function, command or page can send to another number.
"""

from __future__ import annotations

from dataclasses import replace

from django_messente_dlr import conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.exceptions import RecipientNotAllowed
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.recipients import is_allowed, require_allowed


def addressed(message: OutgoingMessage) -> OutgoingMessage:
    """Return a message with the number that it may be sent to: ``OVERRIDE_RECIPIENT``, or its own.

    Args:
        message: the message with its intended recipient.

    Raises:
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number.
    """
    config = conf.get_config()
    if not config.override_recipient:
        _check(message.to)
        return message
    if config.allowed_recipients is not None and not is_allowed(config.override_recipient, config.allowed_recipients):
        raise RecipientNotAllowed(
            "The number of OVERRIDE_RECIPIENT is not in ALLOWED_RECIPIENTS, so nothing was sent. Add it to "
            "ALLOWED_RECIPIENTS, or remove ALLOWED_RECIPIENTS."
        )
    return replace(message, to=config.override_recipient)


def check_prepared(to: str) -> None:
    """Check that another client may send a message to a number. This app cannot change what that client sends.

    Args:
        to: the recipient's number.

    Raises:
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number, or ``OVERRIDE_RECIPIENT`` is set.
    """
    if conf.get_config().override_recipient:
        raise RecipientNotAllowed(
            "OVERRIDE_RECIPIENT is set, but it applies only to messages that this app sends. Send with send_sms or "
            "send_message here, or remove the setting and list the numbers in ALLOWED_RECIPIENTS."
        )
    _check(to)


def _check(to: str) -> None:
    try:
        require_allowed(to, conf.get_config().allowed_recipients)
    except errors.RecipientForbidden as exc:
        raise RecipientNotAllowed(str(exc)) from None
