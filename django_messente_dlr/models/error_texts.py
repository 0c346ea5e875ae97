"""The texts of errors in rows: stored as Messente's answer or in English, and translated when they are shown.

The text of an exception is in the language of the process that raised it, for example that of a visitor.
"""

from __future__ import annotations

from django.utils import translation
from django.utils.translation import gettext_noop

from django_messente_dlr.messente.errors import RequestRefused
from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.messente.response_codes import ResponseCode

MAX_ANSWER = 250  # characters
NO_REPORT = gettext_noop("Messente reported no final status within 48 hours.")
NO_ID = gettext_noop(
    "No final report came within 48 hours, and polling was not possible: the message has no id of Messente's. The "
    "response to sending it was lost, or mark_sent was not called, perhaps because it was never sent."
)
NO_ACCOUNT = gettext_noop(
    "No final report came within 48 hours, and polling was not possible: its account is not configured."
)
TRANSLATABLE = frozenset({NO_REPORT, NO_ID, NO_ACCOUNT})


def untranslated(error: Exception) -> str:
    """Return the text of an error to store: Messente's answer such as ``ERROR 111``, or the English text.

    Args:
        error: the error, or a `MessageNotSent` that it is the cause of.
    """
    cause = error if isinstance(error, RequestRefused) else error.__cause__
    return one_line(cause.answer, limit=MAX_ANSWER) if isinstance(cause, RequestRefused) else str(error)


def translated(text: str) -> str:
    """Return a stored text in the active language, a response code with its meaning and advice.

    Args:
        text: a text that `untranslated` returned, one of `TRANSLATABLE`, Messente's description of an error, or "".
    """
    if ResponseCode.from_code(text):
        return str(RequestRefused(text))
    # Other texts are not passed to gettext, which changes their line ends.
    return translation.gettext(text) if text in TRANSLATABLE else text
