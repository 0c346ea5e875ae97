"""The types of a scenario: `Step` is one report about a message, `Scenario` all of its reports and responses.

`scenarios` holds the table of scenarios; of the data this module contains the steps that several scenarios share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode, Stat

Expected = Literal["queued", "sent", "failed", "rejected", "delivered", "seen"]

# From the lowest to the highest class. A report with a lower class does not change the status of a message.
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
        stat: the status code in the GET callback and in the Omnichannel JSON.
        err: the error code as the GET callback spells it: "" for a blank value, None to leave the parameter out.
        callback: whether a callback is sent. Without one, only a poll returns the report.
        times: the number of identical callbacks, all sent at once.
        get: the parameters of the GET callback instead of ``stat`` and ``err``, for older formats.
        late: whether the callback is sent only after the first report of the next channel, if there is one.
    """

    stat: str
    err: str | None = ""
    _: KW_ONLY
    callback: bool = True
    times: int = 1
    get: Mapping[str, str] | None = None
    late: bool = False

    @property
    def code(self) -> int | None:
        """The error code as a number: 0 for a blank one, None for a missing one."""
        return None if self.err is None else int(self.err or 0)

    @property
    def delivery_class(self) -> DeliveryClass | None:
        """The higher one of the classes of ``stat`` and ``err``; None if Messente documents neither."""
        stat = Stat.from_code(self.stat)
        cause = ErrorCode.from_code(self.code)
        classes = (stat.delivery_class if stat else None, cause.delivery_class if cause else None)
        return max(classes, key=_ORDER.index)


@dataclass(frozen=True)
class Scenario:
    """The reports and responses for a message whose recipient ends in these three digits.

    Attributes:
        digits: the recipient's last three digits.
        expected: the final status of the message. The poller changes ``sent`` into ``unresolved`` after 48 hours.
        description: one sentence for the table of ``messente_sandbox --help``.
        steps: the reports, in their order. In a message of several channels each channel has them.
        failing_channels: the reports of the first channels instead; each channel ends with a failure. The last
            channel of a message always has ``steps``, so that ``expected`` is the same for any number of channels.
        refusal: the response to the send request instead of an id: an ``ERROR`` or ``FAILED`` response, or ``HTTP``
            and a status. A message that is always refused has no steps.
        recovers: whether only the first request is refused: the sandbox accepts the next one to this recipient.
        before_response: whether the first callback is sent before the response to ``send_sms``.
        times_out: whether the response to ``send_sms`` comes after the client's timeout.
        poll_first: the responses to the first polls, in their order, regardless of the reports so far.
    """

    digits: str
    expected: Expected
    description: str
    steps: tuple[Step, ...] = ()
    _: KW_ONLY
    failing_channels: tuple[tuple[Step, ...], ...] = ()
    refusal: str | None = None
    recovers: bool = False
    before_response: bool = False
    times_out: bool = False
    poll_first: tuple[str, ...] = ()

    def steps_of(self, position: int, *, count: int) -> tuple[Step, ...]:
        """Return the reports of one channel.

        Args:
            position: the channel's position in the order of sending, from 0.
            count: the number of channels.
        """
        return (*self.failing_channels[: count - 1], *[self.steps] * count)[position]

    @property
    def needs_poll(self) -> bool:
        """Whether the callbacks alone do not report the final status, so that a poll is necessary."""
        return highest_class(step for step in self.steps if step.callback) != highest_class(self.steps)


def highest_class(steps: Iterable[Step]) -> DeliveryClass | None:
    """Return the highest class among ``steps``; None if none of them has a class."""
    return max((step.delivery_class for step in steps), key=_ORDER.index, default=None)


def highest_step(steps: Iterable[Step]) -> Step | None:
    """Return the report with the highest class among ``steps``, the latest of equal ones; None without steps."""
    return max(reversed(tuple(steps)), key=lambda step: _ORDER.index(step.delivery_class), default=None)


def has_failed(steps: Iterable[Step]) -> bool:
    """Return whether the highest class among ``steps`` is a failure, so that the next channel is tried."""
    return highest_class(steps) in {DeliveryClass.FAILED, DeliveryClass.REJECTED}


ACCEPTED = Step("ACCEPTD")
DELIVERED = Step("DELIVRD")
FAILED = Step("UNDELIV", "1")
EXPIRED = Step("EXPIRED", "2")
LATER_BY_POLL = Step("DELIVRD", callback=False)
