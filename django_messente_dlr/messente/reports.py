"""A delivery report as one value, the same for each of Messente's ways of telling; `readers` make them."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

# Documentation: «Delivery Report», Notes: how long Messente waits when it calls back, in seconds: 1 for the
# connection, 10 for the answer.
CALLBACK_TIMEOUTS = (1.0, 10.0)


class Source(enum.StrEnum):
    """The way on which a report reached us."""

    CALLBACK = "callback"
    OMNICHANNEL = "omnichannel"
    POLL = "poll"
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What Messente said about one message at one time.

    Attributes:
        source: the way on which it came.
        sms_unique_id: the message's id at Messente (``message_id`` in the Omnichannel API), or "".
        omnimessage_id: the id of the omnimessage that it belongs to, or "".
        stat: the word for the state, in upper case; "" where none was told.
        err: the number of the cause, or None where none was told or what was told is no number.
        raw_err: the cause as it was told.
        error_text: Messente's own sentence about the cause, or "".
        channel: sms, viber, whatsapp, rcs …; "" where not told.
        occurred_at: when Messente says it happened, in UTC; None where not told.
        price: what the message cost in all, in a currency that no document names; None where not told.
        parts: the number of parts it was sent in; None where not told.
        payload: everything that was told, as it was told.
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
        """Return what a repeated report has in common with the first, as 64 hex digits.

        Args:
            scope: what sets equal reports apart, such as the account that they are about.
        """
        told = [
            *scope,
            self.source.value,
            self.sms_unique_id,
            self.omnimessage_id,
            self.stat,
            # «err=», «err=0» and no err at all say the same.
            self.raw_err.lower() if self.err is None else str(self.err or ""),
            self.error_text,
            self.channel,
            self.occurred_at.isoformat() if self.occurred_at else "",
            "" if self.price is None else str(self.price.normalize()),
            self.parts or "",
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()
