"""The `Report` value: a delivery report in one form for all sources. The functions of `parsers` create it."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

# The time-outs of Messente's callbacks in seconds: 1 for the connection, 10 for the response (documentation:
# "Delivery Report", Notes).
CALLBACK_TIMEOUTS = (1.0, 10.0)


class Source(enum.StrEnum):
    """The source of a report: a GET or Omnichannel callback, a poll, or the response to sending or cancelling."""

    CALLBACK = "callback"
    OMNICHANNEL = "omnichannel"
    POLL = "poll"
    SEND = "send"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One delivery report about one message.

    Attributes:
        source: the source of the report.
        sms_unique_id: the message's ID at Messente (``message_id`` in the Omnichannel API), or "".
        omnimessage_id: the ID of the omnimessage that contains the message, or "".
        stat: the status code in upper case, or "" if the report has none.
        err: the error code, or None if the report has none or if it is not a number.
        raw_err: the error code as received.
        error_text: Messente's description of the error, or "".
        channel: the channel, such as sms, viber, whatsapp or rcs, or "".
        occurred_at: the time of the event according to Messente, in UTC, or None.
        price: the total price of the message, or None. Messente's documentation does not state the currency.
        parts: the number of parts of the message, or None.
        payload: all received fields with their received values.
    """

    source: Source
    sms_unique_id: str = ""
    omnimessage_id: str = ""
    stat: str = ""
    err: int | None = None
    raw_err: str = ""
    error_text: str = ""
    channel: str = ""
    occurred_at: datetime | None = None
    price: Decimal | None = None
    parts: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def fingerprint(self, *scope: object) -> str:
        """Return a hash that is equal for duplicate reports, as 64 hexadecimal digits.

        Args:
            scope: values that distinguish otherwise equal reports, such as the account.
        """
        values = [
            *scope,
            self.source.value,
            self.sms_unique_id,
            self.omnimessage_id,
            self.stat,
            # "err=", "err=0" and a missing err have the same meaning.
            self.raw_err.lower() if self.err is None else str(self.err or ""),
            self.error_text,
            self.channel,
            self.occurred_at.isoformat() if self.occurred_at else "",
            "" if self.price is None else str(self.price.normalize()),
            self.parts or "",
        ]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()
