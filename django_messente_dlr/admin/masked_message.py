"""The columns of a message as one user may see them: recipient and text are masked without the permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from django_messente_dlr.admin import causes
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.utils import masking

HIDDEN_TEXT = masking.HIDDEN * 5


@dataclass(frozen=True, slots=True)
class MaskedMessage:
    """The columns of a message for one user. Reading a column that the list deferred queries the database.

    Attributes:
        message: the message.
        can_see_recipient: whether the user may see full recipients.
        can_see_text: whether the user may see texts.
    """

    message: SmsMessage
    can_see_recipient: bool
    can_see_text: bool

    @property
    def recipient(self) -> str:
        """The recipient, masked where the user may not see it."""
        return self.message.recipient if self.can_see_recipient else masking.mask_number(self.message.recipient)

    @property
    def text(self) -> str:
        """The text, or a placeholder where the user may not see it."""
        return self.message.text if self.can_see_text or not self.message.text else HIDDEN_TEXT

    @property
    def error_text(self) -> str:
        """The error text in the user's language, with the recipient masked where the user may not see it."""
        return self.mask(self.message.error_description)

    @property
    def cause(self) -> str:
        """The cause of the failure: the meaning of a code or, without a code, Messente's error text."""
        return causes.cause_text(self.message, self.error_text)

    @property
    def metadata(self) -> Any:
        """The metadata, with the recipient masked where the user may not see it."""
        metadata = self.message.metadata
        return metadata if self.can_see_recipient else masking.mask_in_json(metadata, self.message.recipient)

    @property
    def reference(self) -> str:
        """The project's key, in which the recipient is masked where the user may not see it."""
        return self.mask(self.message.reference)

    @property
    def channels(self) -> list[dict[str, Any]]:
        """The channels. Where the user may not see it, their content is missing, and the recipient is masked."""
        return masking.mask_channels(
            self.message.channels,
            self.message.recipient,
            can_see_recipient=self.can_see_recipient,
            can_see_text=self.can_see_text,
        )

    def mask(self, text: str) -> str:
        """Return a text about the message, such as an error, with numbers masked where the user may not see them."""
        return text if self.can_see_recipient else masking.mask_in_text(text, self.message.recipient)


def masked_of(message: SmsMessage) -> MaskedMessage:
    """Return the columns that the user may see. Recipient and text are masked for a message that was not prepared."""
    return getattr(message, "masked", None) or mask_for(message, None)


def mask_for(message: SmsMessage, user: Any) -> MaskedMessage:
    """Return the columns of a message for ``user``. For None, recipient and text are masked."""
    can_see_recipient = user is not None and masking.may_see_recipients(user)
    return MaskedMessage(message, can_see_recipient, user is not None and masking.may_see_texts(user))


def find_latest_sources(messages: Sequence[SmsMessage]) -> dict[int, str | Promise]:
    """Return the source of the last report that changed the status, by primary key of the message."""
    sources = dict(DeliveryReport.SOURCES)
    rows = DeliveryReport.objects.filter(
        message__in=[message.pk for message in messages], outcome=ReportOutcome.ADVANCED
    )
    return {
        pk: sources.get(source, source)
        for pk, source in rows.order_by("pk").values_list("message_id", "source")
        if pk
    }
