"""Plan the messages of a day: exact shares of each scenario, in an order that a seed determines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

# The orders of the messages. With "shuffled" the reports of different scenarios mix, but those of one message come
# one after the other. With "simultaneous" the reports of each message come at the same moment.
ORDERS = ("shuffled", "planned", "simultaneous")
# One of so many messages is sent by another client, and tracked later.
EXTERNAL_INTERVAL = 50
# The channels of omnimessages, one after the other.
CHANNELS = (("viber", "sms"), ("viber", "whatsapp", "sms"))


@dataclass(frozen=True, slots=True)
class Shares:
    """Of 100 messages, the last digits of the recipients, which select the scenarios of the sandbox.

    Attributes:
        duplicated: those whose reports come six times.
        reordered: those that are reported in the wrong order.
        lost: those whose end is reported to a poll only.
        ordinary: the others.
    """

    duplicated: Sequence[str]
    reordered: Sequence[str]
    lost: Sequence[str]
    ordinary: Sequence[str]

    @property
    def all(self) -> list[str]:
        return [*self.duplicated, *self.reordered, *self.lost, *self.ordinary]


SHARES = {
    "sms": Shares(
        duplicated=["106"] * 20,
        reordered=["104"] * 10 + ["105"] * 10,
        lost=["141"] * 3 + ["142"] * 2,
        ordinary=["000"] * 35 + ["001", "003", "007", "010", "101"] * 4,
    ),
    "omnichannel": Shares(
        duplicated=["106"] * 5 + ["406"] * 15,
        reordered=["105"] * 4 + ["407"] * 10 + ["408"] * 6,
        lost=["411"] * 3 + ["412"] * 2 + ["413"] * 2,
        ordinary=["000"] * 13 + ["401"] * 8 + ["402", "403", "404"] * 6 + ["001", "010"] * 4 + ["405", "409"] * 3,
    ),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to send.

    Attributes:
        recipient: the recipient, whose last digits select the scenario.
        external: whether another client sends the message, so that its reports arrive before the message is stored.
        channels: the channels of an omnimessage; empty for an SMS of the SMS API.
    """

    recipient: str
    external: bool
    channels: tuple[str, ...] = ()


def plan(count: int, *, api: str = "sms", order: str = "shuffled", seed: int) -> list[Planned]:
    """Return the messages to send.

    Args:
        count: the number of messages.
        api: "sms", or "omnichannel" for messages of two and three channels.
        order: one of `ORDERS`.
        seed: determines the order of the messages, if it is shuffled.

    Raises:
        ValueError: ``count`` is not a positive multiple of 100, so that the shares would not be exact.
    """
    shares = SHARES[api].all
    if count <= 0 or count % len(shares):
        raise ValueError(f"The number of messages must be a positive multiple of {len(shares)}, not {count}.")
    digits = shares * (count // len(shares))
    if order == "shuffled":
        random.Random(seed).shuffle(digits)
    return [
        Planned(
            f"+372{5_000_000 + number}{scenario}",
            external=number % EXTERNAL_INTERVAL == EXTERNAL_INTERVAL - 1,
            channels=CHANNELS[number % len(CHANNELS)] if api == "omnichannel" else (),
        )
        for number, scenario in enumerate(digits)
    ]
