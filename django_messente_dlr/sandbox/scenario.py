"""What can become of a message in the sandbox: `Step`, one report, and `Scenario`, the whole story. No data in here.

In comes the table of `fates`; out goes what a fate amounts to: to a receiver of its callbacks, and to one who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode, Stat

Expected = Literal["queued", "sent", "failed", "rejected", "delivered", "seen"]

# From the least to the most that can be known of a message. Nothing later on the list is undone by what is earlier.
_ORDER = (
    None,
    DeliveryClass.SENT,
    DeliveryClass.FAILED,
    DeliveryClass.REJECTED,
    DeliveryClass.DELIVERED,
    DeliveryClass.SEEN,
)


@dataclass(frozen=True)
class Step:
    """One report about a message.

    Attributes:
        stat: the word for the state, as the GET callback and the Omnichannel JSON tell it.
        err: the cause as the GET callback spells it: "" for a blank one, None for no parameter at all.
        callback: whether a callback is made. If not, only asking brings the report to light.
        times: how many equal callbacks are made, all at once.
        get: what the GET callback says instead of ``stat`` and ``err``, for the older spellings.
    """

    stat: str
    err: str | None = ""
    _: KW_ONLY
    callback: bool = True
    times: int = 1
    get: Mapping[str, str] | None = None

    @property
    def code(self) -> int | None:
        """The cause as a number, 0 for a blank one, or None where none is told."""
        return None if self.err is None else int(self.err or 0)

    @property
    def delivery_class(self) -> DeliveryClass | None:
        """Messente's class for this report: the greater of what its word and its number say; None if unknown."""
        word = Stat.from_code(self.stat)
        cause = ErrorCode.from_code(self.code)
        classes = (word.delivery_class if word else None, cause.delivery_class if cause else None)
        return max(classes, key=_ORDER.index)


@dataclass(frozen=True)
class Scenario:
    """What becomes of a message whose recipient ends in these three digits.

    Attributes:
        digits: the recipient's last three digits.
        expected: the status that a message has in the end. A poller turns ``sent`` into ``unresolved`` after 48 h.
        description: one sentence for the table of ``messente_sandbox --help``.
        steps: the reports, in the order in which they are told.
        refusal: what sending is answered with instead of the id: an ``ERROR`` or ``FAILED`` answer, or ``HTTP`` and
            a status. A message that is refused has no steps.
        recovers: whether the refusal is for the first call only: the next one to the same recipient is accepted.
        before_response: whether the first callback is made before the call of ``send_sms`` is answered.
        times_out: whether that answer comes only when the client has long given up waiting.
        poll_first: what the first questions for the report are answered with, one by one, whatever has happened.
    """

    digits: str
    expected: Expected
    description: str
    steps: tuple[Step, ...] = ()
    _: KW_ONLY
    refusal: str | None = None
    recovers: bool = False
    before_response: bool = False
    times_out: bool = False
    poll_first: tuple[str, ...] = ()

    @property
    def needs_poll(self) -> bool:
        """Whether the callbacks alone do not tell the end, so that somebody has to ask for it."""
        return amount_to(step for step in self.steps if step.callback) != amount_to(self.steps)


def amount_to(steps: Iterable[Step]) -> DeliveryClass | None:
    """Return the class of the report among ``steps`` that says most; None if none says anything."""
    return max((step.delivery_class for step in steps), key=_ORDER.index, default=None)


def most_telling(steps: Iterable[Step]) -> Step | None:
    """Return the report among ``steps`` that says most, the latest of equals; None if there is none."""
    return max(reversed(tuple(steps)), key=lambda step: _ORDER.index(step.delivery_class), default=None)
