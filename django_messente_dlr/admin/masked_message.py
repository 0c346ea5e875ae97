"""What a reader may see of a message: the number and the text masked for those without the permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.text import Truncator

from django_messente_dlr.admin import rendering
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import masking

HIDDEN_TEXT = masking.HIDDEN * 5


@dataclass(frozen=True, slots=True)
class MaskedMessage:
    """A message's columns for one reader; what the list does not fetch is read when it is asked for.

    Attributes:
        message: the message.
        full: whether the reader may see recipients in full.
        texts: whether the reader may see texts.
    """

    message: SmsMessage
    full: bool
    texts: bool

    @property
    def recipient(self) -> str:
        """Whom it went to."""
        return self.message.recipient if self.full else masking.mask_number(self.message.recipient)

    @property
    def text(self) -> str:
        """What it said."""
        return self.message.text if self.texts or not self.message.text else HIDDEN_TEXT

    @property
    def error_text(self) -> str:
        """What Messente said of its failure."""
        told = self.message.error_text
        return told if self.full else masking.mask_in_text(told, self.message.recipient)

    @property
    def cause(self) -> str:
        """Why it failed: the cause that we know or, without one, what Messente said."""
        message = self.message
        if not message.err and Status(message.status).is_failure and message.error_text:
            return Truncator(self.error_text).chars(80)
        return rendering.cause_in_words(message)

    @property
    def metadata(self) -> Any:
        """What the project noted on it."""
        noted = self.message.metadata
        return noted if self.full else masking.mask_in_json(noted, self.message.recipient)


def mask_for(message: SmsMessage, user: Any) -> MaskedMessage:
    """Return what ``user`` may see of a message; None may see what everybody may."""
    full = user is not None and masking.may_see_recipients(user)
    return MaskedMessage(message, full, user is not None and masking.may_see_texts(user))


def latest_sources(messages: Sequence[SmsMessage]) -> dict[int, str | Promise]:
    """Return how the present status of each message was learnt, by primary key: the source of its last news."""
    sources = dict(DeliveryReport.SOURCES)
    rows = DeliveryReport.objects.filter(
        message__in=[message.pk for message in messages], outcome=ReportOutcome.ADVANCED
    )
    return {
        pk: sources.get(source, source)
        for pk, source in rows.order_by("pk").values_list("message_id", "source")
        if pk
    }
