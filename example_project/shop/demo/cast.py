"""The messages that the demo sends, each with the end that it should come to. Data, and who sends it how."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django_messente_dlr.sandbox import SCENARIOS

# Every one of these digits ends a number in a fate of the sandbox's table.
BY_SMS = (
    *("000", "001", "002", "003", "005", "006", "007", "008", "009", "010", "999"),
    *("101", "102", "103", "104", "106", "107", "116", "122", "131", "135"),
    *("141", "142", "143", "144", "309"),
    *("211", "209", "219", "260", "270"),
)
BROKE = "004"


class Way(enum.Enum):
    """How a message gets into the ledger."""

    SEND = "send_sms"
    OMNICHANNEL = "prepare_sms, another client, mark_sent"
    TRACK = "another client, its report, and only then track_sms"
    AGED = "send_sms, 48 hours ago"


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the demo.

    Attributes:
        digits: the last three of its recipient, which choose its fate.
        way: how it gets into the ledger.
        expected: the status that it should end in.
        story: what happens to it, in a sentence.
    """

    digits: str
    way: Way
    expected: str
    story: str

    @property
    def recipient(self) -> str:
        """A number that nobody has."""
        return f"+37255500{self.digits}"


def part(digits: str, way: Way = Way.SEND, *, expected: str = "", story: str = "") -> Part:
    """Return a message whose end and story are its fate's, where nothing else is said."""
    scenario = SCENARIOS[digits]
    return Part(digits, way, expected or scenario.expected, story or scenario.description)


CAST = (
    *(part(digits) for digits in BY_SMS),
    part("010", Way.OMNICHANNEL, story="Sent by another client through Omnichannel; delivered, then seen."),
    part("000", Way.TRACK, story="Its report comes first; then track_sms makes it known."),
    part("143", Way.AGED, expected="unresolved", story="As 143, but moved 48 hours back: nobody will ever know."),
)
OUT_OF_CREDIT = part(BROKE, story="The account is out of credits; the next send_sms is refused.")
AFTERWARDS = part("000", story="Sent when there is credit again.")

# How often each signal is heard, where that is certain; at least once, where it is None.
EXPECTED_SIGNALS: dict[str, int | None] = {
    "dlr_received": None,
    "dlr_status_changed": None,
    "dlr_delivered": None,
    "dlr_seen": 2,
    "dlr_failed": None,
    "dlr_unresolved": 1,
    "temporary_failure": 1,
    "identical_messages_blocked": 1,
    "sender_not_allowed": 1,
    "credits_exhausted": 1,
    "credits_restored": 1,
}
