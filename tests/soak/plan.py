"""What is sent on such a day: every share as the plan says, exactly, in an order that is drawn once for all."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Recipients' last digits, as the sandbox knows them: of 100 messages 20 are told six times, 20 in the wrong order,
# and 5 not at all, so that only asking tells; the others end in an ordinary way.
DUPLICATED = ["106"] * 20
REORDERED = ["104"] * 10 + ["105"] * 10
LOST = ["141"] * 3 + ["142"] * 2
ORDINARY = ["000"] * 35 + ["001", "003", "007", "010", "101"] * 4
FATES = [*DUPLICATED, *REORDERED, *LOST, *ORDINARY]
# One of so many is sent by somebody else, and tracked later.
STRANGER_EVERY = 50


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to send.

    Attributes:
        recipient: its recipient, whose last digits are its fate.
        stranger: whether it is sent without us, so that its reports come for an id that we do not know.
    """

    recipient: str
    stranger: bool


def plan(count: int, *, seed: int) -> list[Planned]:
    """Return so many messages to send.

    Raises:
        ValueError: it is no multiple of a hundred, so that the shares would not be exact.
    """
    if count <= 0 or count % len(FATES):
        raise ValueError(f"A number of messages is a multiple of {len(FATES)}, not {count}.")
    digits = FATES * (count // len(FATES))
    random.Random(seed).shuffle(digits)
    return [
        Planned(f"+372{5_000_000 + number}{scenario}", stranger=number % STRANGER_EVERY == STRANGER_EVERY - 1)
        for number, scenario in enumerate(digits)
    ]
