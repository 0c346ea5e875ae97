"""Check who may see recipients and texts, and mask recipients for other users: ``+372•••••000``.

The admin and the REST API both use these functions, so that they mask the same numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from django_messente_dlr.messente.channel_values import WITHOUT_CONTENT
from django_messente_dlr.utils.number_patterns import map_texts, replace_number, replace_numbers
from django_messente_dlr.utils.phone_numbers import calling_code, is_pseudonym

VIEW_RECIPIENT = "django_messente_dlr.view_recipient"
VIEW_TEXT = "django_messente_dlr.view_text"
HIDDEN = "•"
VISIBLE_DIGITS = 3


def may_see_recipients(user: Any) -> bool:
    """Return whether a user may see the full numbers of recipients."""
    return bool(user.has_perm(VIEW_RECIPIENT))


def may_see_texts(user: Any) -> bool:
    """Return whether a user may see the texts of messages."""
    return bool(user.has_perm(VIEW_TEXT))


def mask_number(number: str) -> str:
    """Return a number with only its calling code and its last three digits visible. A pseudonym is not masked.

    Args:
        number: the number as it is stored: with +, with 00 or with neither.
    """
    if is_pseudonym(number):
        return number
    plain = "".join(char for char in number if char.isdigit())
    code = calling_code(plain).removeprefix("+")
    return _hide(number, number[: number.index(code) + len(code)] if code and code in number else "")


def mask_in_text(text: str, number: str = "") -> str:
    """Return a text in which phone numbers are masked.

    Masked are each spelling of ``number`` and all numbers with + or 00. Without a known number, everything is masked
    that looks like a phone number (`number_patterns`): the text can be about any recipient.

    Args:
        text: the text.
        number: the recipient of the message that the text is about; "" or a pseudonym if it is unknown.
    """
    if not number or is_pseudonym(number):
        return replace_numbers(text, _hide)
    return replace_number(replace_numbers(text, _hide, international_only=True), number, _hide)


def mask_in_json(value: Any, number: str = "", *, ids: Collection[str] = ()) -> Any:
    """Return JSON in which `mask_in_text` has masked every text, key and number.

    Args:
        value: the JSON.
        number: the recipient, as for `mask_in_text`.
        ids: the ids of the message, which are not masked even if they look like numbers.
    """
    mask = partial(mask_in_text, number=number)
    return map_texts(value, lambda text: text if text in ids else mask(text))


def mask_channels(
    channels: Sequence[Mapping[str, Any]], number: str, *, can_see_recipient: bool, can_see_text: bool
) -> list[dict[str, Any]]:
    """Return the channels of a message as a user may see them.

    Args:
        channels: the channels of the message's row.
        number: the recipient of the message.
        can_see_recipient: whether the user may see full recipients. If not, they are masked.
        can_see_text: whether the user may see texts. If not, the content of each channel is missing.
    """
    shown = [
        {name: value for name, value in channel.items() if can_see_text or name in WITHOUT_CONTENT}
        for channel in channels
    ]
    ids = {str(channel.get("message_id", "")) for channel in channels}
    return shown if can_see_recipient else [mask_in_json(channel, number, ids=ids) for channel in shown]


def _hide(spelling: str, code: str) -> str:
    """Return a number with only its calling code and its last three digits visible.

    Args:
        spelling: the number as it is written.
        code: its beginning, up to the calling code; "" to hide that, too.
    """
    start, end = len(code), max(len(spelling) - VISIBLE_DIGITS, 0)
    if end - start < VISIBLE_DIGITS:
        start = 0
    return f"{spelling[:start]}{HIDDEN * (end - start)}{spelling[end:]}"
