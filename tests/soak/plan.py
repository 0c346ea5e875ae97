"""Plan the messages of a day: exact shares of each scenario, in an order that a seed determines."""

from __future__ import annotations

import random
from dataclasses import dataclass

# The last digits of a recipient select the scenario of the sandbox. Of 100 messages 20 are reported six times, 20 are
# reported in the wrong order, and 5 are reported only to a poll. The others have ordinary scenarios.
DUPLICATED = ["106"] * 20
REORDERED = ["104"] * 10 + ["105"] * 10
LOST = ["141"] * 3 + ["142"] * 2
ORDINARY = ["000"] * 35 + ["001", "003", "007", "010", "101"] * 4
SCENARIOS = [*DUPLICATED, *REORDERED, *LOST, *ORDINARY]
# One of so many messages is sent by another client, and tracked later.
EXTERNAL_INTERVAL = 50


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to send.

    Attributes:
        recipient: the recipient, whose last digits select the scenario.
        external: whether another client sends the message, so that its reports arrive before the message is stored.
    """

    recipient: str
    external: bool


def plan(count: int, *, seed: int) -> list[Planned]:
    """Return the messages to send.

    Args:
        count: the number of messages.
        seed: determines the order.

    Raises:
        ValueError: ``count`` is not a positive multiple of 100, so that the shares would not be exact.
    """
    if count <= 0 or count % len(SCENARIOS):
        raise ValueError(f"The number of messages must be a positive multiple of {len(SCENARIOS)}, not {count}.")
    digits = SCENARIOS * (count // len(SCENARIOS))
    random.Random(seed).shuffle(digits)
    return [
        Planned(f"+372{5_000_000 + number}{scenario}", external=number % EXTERNAL_INTERVAL == EXTERNAL_INTERVAL - 1)
        for number, scenario in enumerate(digits)
    ]
