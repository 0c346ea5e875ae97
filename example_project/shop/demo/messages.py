"""The messages of the demo, each with its send method and its expected status, and the expected signals."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django_messente_dlr.sandbox.scenarios import SCENARIOS

# The last three digits of the recipients: each one chooses a scenario of the sandbox.
SMS_DIGITS = (
    *("000", "001", "002", "003", "005", "006", "007", "008", "009", "010", "999"),
    *("101", "102", "103", "104", "106", "107", "116", "122", "131", "135"),
    *("141", "142", "143", "144"),
    *("211", "229", "250", "260", "270"),
)
OUT_OF_CREDITS_DIGITS = "004"


class SendMethod(enum.Enum):
    """How a message is sent and stored."""

    SEND = "send_sms"
    OMNICHANNEL = "prepare_sms, another client, mark_sent"
    TRACK = "another client, its report, and only then track_sms"
    AGED = "send_sms, 54 hours ago"
    CHANNELS = "send_message by Viber, then SMS"
    CANCELLED = "send_sms for tomorrow, then cancel"


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message of the demo.

    Attributes:
        digits: the recipient's last three digits, which choose the scenario.
        method: how it is sent and stored.
        expected: the expected final status.
        description: its scenario in one sentence.
    """

    digits: str
    method: SendMethod
    expected: str
    description: str

    @property
    def recipient(self) -> str:
        """A phone number that ends in the digits, for the sandbox only."""
        return f"+37255500{self.digits}"


def demo_message(
    digits: str, method: SendMethod = SendMethod.SEND, *, expected: str = "", description: str = ""
) -> DemoMessage:
    """Return a message whose expected status and description default to those of its scenario."""
    scenario = SCENARIOS[digits]
    return DemoMessage(digits, method, expected or scenario.expected, description or scenario.description)


MESSAGES = (
    *(demo_message(digits) for digits in SMS_DIGITS),
    demo_message(
        "010",
        SendMethod.OMNICHANNEL,
        description="Sent by another client through Omnichannel; delivered, then seen.",
    ),
    demo_message("000", SendMethod.TRACK, description="Its report comes first; track_sms then adds the message."),
    demo_message(
        "143",
        SendMethod.AGED,
        expected="unresolved",
        description="As 143, but sent 54 hours ago: no report will come any more.",
    ),
    demo_message("401", SendMethod.CHANNELS, description="By Viber, which fails, and then by SMS, which delivers."),
    demo_message(
        "000",
        SendMethod.CANCELLED,
        expected="cancelled",
        description="Scheduled for tomorrow, and cancelled before it is sent.",
    ),
)
OUT_OF_CREDITS = demo_message(
    OUT_OF_CREDITS_DIGITS, description="The account is out of credits; the next send_sms is refused."
)
CREDITS_RESTORED = demo_message("000", description="Sent after the account has credit again.")

# How often each signal is sent; None for at least once, where the number varies.
EXPECTED_SIGNALS: dict[str, int | None] = {
    "dlr_received": None,
    "dlr_status_changed": None,
    "dlr_delivered": None,
    "dlr_seen": 2,
    "dlr_channel_failed": 1,
    "dlr_failed": None,
    "dlr_cancelled": 1,
    "dlr_unresolved": 1,
    "temporary_failure": 1,
    "identical_messages_blocked": 1,
    "sender_not_allowed": 1,
    "credits_exhausted": 1,
    "credits_restored": 1,
}
