"""The table of scenarios, and the lookup by the recipient's last three digits.

- 0xx: 000 to 010, and 999, report the error code of the same number.
- 10x: order and repetition of reports. 11x: status codes without an error code. 12x: undocumented codes.
- 13x: older spellings of reports. 14x: reports that only a poll returns. 3xx: failing polls.
- 4xx: messages of several channels, in `channel_scenarios`.
- 2xx: responses to ``send_sms``: 2 and the last two digits of the response's code, if it has one.

Messente does not document which ``stat`` it sends with which ``err``; the pairs in this table are plausible ones.
ACK and SEEN are status codes of the Omnichannel API; whether GET callbacks contain them is not documented.
"""

from __future__ import annotations

from collections.abc import Mapping

from django_messente_dlr.sandbox.channel_scenarios import CHANNEL_SCENARIOS
from django_messente_dlr.sandbox.scenario import ACCEPTED, DELIVERED, LATER_BY_POLL, Scenario, Step

_TABLE = (
    Scenario("000", "delivered", "It is delivered.", (DELIVERED,)),
    Scenario("001", "failed", "Delivery fails.", (Step("UNDELIV", "1"),)),
    Scenario("002", "failed", "It expires before it can be delivered.", (Step("EXPIRED", "2"),)),
    Scenario("003", "failed", "The number is invalid.", (Step("UNDELIV", "3"),)),
    Scenario("004", "rejected", "The account is out of credits.", (Step("REJECTD", "4"),)),
    Scenario("005", "failed", "Country or operator cannot be determined.", (Step("UNDELIV", "5"),)),
    Scenario("006", "rejected", "There were too many identical messages.", (Step("REJECTD", "6"),)),
    Scenario("007", "rejected", "The sender name is not allowed.", (Step("REJECTD", "7"),)),
    Scenario("008", "rejected", "The number or the operator is blacklisted.", (Step("REJECTD", "8"),)),
    Scenario("009", "rejected", "It is unroutable.", (Step("REJECTD", "9"),)),
    Scenario("010", "seen", "It is delivered, and then seen.", (DELIVERED, Step("SEEN", "10"))),
    Scenario("999", "failed", "A temporary error occurs: send it again.", (Step("FAILED", "999"),)),
    # Order and repetition
    Scenario("101", "delivered", "It is accepted first, then delivered.", (ACCEPTED, DELIVERED)),
    Scenario("102", "sent", "It is accepted, and no further report exists.", (ACCEPTED,)),
    Scenario("103", "delivered", "A failure is reported first, a delivery later.", (Step("UNDELIV", "1"), DELIVERED)),
    Scenario("104", "delivered", "It is delivered; the report of its acceptance comes later.", (DELIVERED, ACCEPTED)),
    Scenario("105", "delivered", "It is delivered; a failure is reported later.", (DELIVERED, Step("FAILED", "1"))),
    Scenario(
        "106", "delivered", "It is delivered; six identical callbacks come at once.", (Step("DELIVRD", times=6),)
    ),
    Scenario("107", "failed", "It fails; the cause is reported later.", (Step("FAILED", None), Step("FAILED", "2"))),
    Scenario(
        "108",
        "rejected",
        "It fails; the cause is reported later: out of credits.",
        (Step("FAILED", None), Step("REJECTD", "4")),
    ),
    # Status codes without an error code
    Scenario("111", "failed", "The report is UNDELIV without err.", (Step("UNDELIV", None),)),
    Scenario("112", "failed", "The report is FAILED without err.", (Step("FAILED", None),)),
    Scenario("113", "failed", "The report is EXPIRED without err.", (Step("EXPIRED", None),)),
    Scenario("114", "failed", "The report is DELETED without err.", (Step("DELETED", None),)),
    Scenario("115", "failed", "The report is NACK without err.", (Step("NACK", None),)),
    Scenario("116", "sent", "The only report is UNKNOWN with a blank err.", (Step("UNKNOWN"),)),
    Scenario("117", "rejected", "The report is REJECTD without err.", (Step("REJECTD", None),)),
    Scenario("118", "delivered", "The report ACK comes first, then it is delivered.", (Step("ACK"), DELIVERED)),
    Scenario("119", "failed", "The report is UNKNOWN with err 1, which means a failure.", (Step("UNKNOWN", "1"),)),
    # Undocumented status codes and error codes, and error codes without effect
    Scenario("121", "sent", "The only report has an unrecognised status code.", (Step("PONDERD"),)),
    Scenario("122", "failed", "The status code is unrecognised, but err 1 means a failure.", (Step("PONDERD", "1"),)),
    Scenario("123", "failed", "The report is FAILED with an unrecognised err.", (Step("FAILED", "77"),)),
    Scenario("124", "delivered", "It is delivered, although err is 1.", (Step("DELIVRD", "1"),)),
    Scenario(
        "125",
        "delivered",
        "An unrecognised status code comes first, then it is delivered.",
        (Step("PONDERD"), DELIVERED),
    ),
    # Older spellings
    Scenario("130", "delivered", "It is delivered with err=000.", (Step("DELIVRD", "000"),)),
    Scenario(
        "131",
        "delivered",
        "It is delivered, reported as status=DELIVERED.",
        (Step("DELIVRD", get={"status": "DELIVERED"}),),
    ),
    Scenario("132", "failed", "It fails, reported as status=FAILED.", (Step("FAILED", get={"status": "FAILED"}),)),
    Scenario(
        "133",
        "delivered",
        "status=SENT comes first, then status=DELIVERED.",
        (Step("ACCEPTD", get={"status": "SENT"}), Step("DELIVRD", get={"status": "DELIVERED"})),
    ),
    Scenario(
        "134", "delivered", "It is delivered, reported as dlr-mask=1.", (Step("DELIVRD", get={"dlr-mask": "1"}),)
    ),
    Scenario("135", "failed", "It fails, reported as dlr-mask=2.", (Step("FAILED", get={"dlr-mask": "2"}),)),
    Scenario("136", "failed", "It fails, reported as dlr-mask=16.", (Step("FAILED", get={"dlr-mask": "16"}),)),
    Scenario(
        "137",
        "delivered",
        "dlr-mask=4 comes first, then dlr-mask=8, then dlr-mask=1.",
        (
            Step("ACCEPTD", get={"dlr-mask": "4"}),
            Step("ACCEPTD", get={"dlr-mask": "8"}),
            Step("DELIVRD", get={"dlr-mask": "1"}),
        ),
    ),
    Scenario("138", "rejected", "The account is out of credits, reported as err=004.", (Step("REJECTD", "004"),)),
    Scenario("139", "delivered", "It is delivered, reported in lower case.", (Step("delivrd"),)),
    # Polls
    Scenario("141", "delivered", "It is delivered; only a poll reports it.", (LATER_BY_POLL,)),
    Scenario("142", "failed", "It fails; only a poll reports it.", (Step("UNDELIV", "1", callback=False),)),
    Scenario("143", "sent", "No report exists; polls return FAILED 102."),
    Scenario(
        "144", "delivered", "A callback reports its acceptance, a poll its delivery.", (ACCEPTED, LATER_BY_POLL)
    ),
    Scenario(
        "145",
        "failed",
        "A callback reports its acceptance, a poll its failure.",
        (ACCEPTED, Step("EXPIRED", "2", callback=False)),
    ),
    # Sending
    Scenario("203", "rejected", "send_sms returns ERROR 103: the IP address is not allowed.", refusal="ERROR 103"),
    Scenario("204", "rejected", "send_sms returns ERROR 104: the country is not found.", refusal="ERROR 104"),
    Scenario("205", "rejected", "send_sms returns ERROR 105.", refusal="ERROR 105"),
    Scenario("206", "rejected", "send_sms returns ERROR 106.", refusal="ERROR 106"),
    Scenario("207", "rejected", "send_sms returns ERROR 107.", refusal="ERROR 107"),
    Scenario("208", "rejected", "send_sms returns ERROR 108: the number is blacklisted.", refusal="ERROR 108"),
    Scenario("209", "failed", "send_sms returns FAILED 209, a server failure, every time.", refusal="FAILED 209"),
    Scenario("211", "rejected", "send_sms returns ERROR 111: the sender is not activated.", refusal="ERROR 111"),
    Scenario(
        "219",
        "delivered",
        "send_sms returns FAILED 209 once; the next request is accepted, and it is delivered.",
        (DELIVERED,),
        refusal="FAILED 209",
        recovers=True,
    ),
    Scenario("229", "failed", "send_sms returns HTTP 429, too many requests.", refusal="HTTP 429"),
    Scenario("250", "queued", "send_sms returns HTTP 500, so whether it was sent is unknown.", refusal="HTTP 500"),
    Scenario(
        "260", "delivered", "The callback comes before the response to send_sms.", (DELIVERED,), before_response=True
    ),
    Scenario(
        "261",
        "rejected",
        "As 260, but the account is out of credits.",
        (Step("REJECTD", "4"),),
        before_response=True,
    ),
    Scenario("270", "delivered", "send_sms times out, but it is delivered.", (DELIVERED,), times_out=True),
    # Failing polls
    Scenario(
        "302",
        "delivered",
        "As 141, but the first two polls return FAILED 102.",
        (LATER_BY_POLL,),
        poll_first=("FAILED 102",) * 2,
    ),
    Scenario(
        "303", "delivered", "As 141, but the first poll returns OK SENT.", (LATER_BY_POLL,), poll_first=("OK SENT",)
    ),
    Scenario(
        "307",
        "delivered",
        "As 141, but the first poll returns ERROR 107.",
        (LATER_BY_POLL,),
        poll_first=("ERROR 107",),
    ),
    Scenario(
        "309",
        "delivered",
        "As 141, but the first poll returns FAILED 209.",
        (LATER_BY_POLL,),
        poll_first=("FAILED 209",),
    ),
    Scenario(
        "329",
        "delivered",
        "As 141, but the first poll returns HTTP 429.",
        (LATER_BY_POLL,),
        poll_first=("HTTP 429",),
    ),
    Scenario(
        "350",
        "delivered",
        "As 141, but the first poll returns HTTP 500.",
        (LATER_BY_POLL,),
        poll_first=("HTTP 500",),
    ),
    *CHANNEL_SCENARIOS,
)

SCENARIOS: Mapping[str, Scenario] = {scenario.digits: scenario for scenario in _TABLE}
_DEFAULT = SCENARIOS["000"]


def scenario_of(recipient: str) -> Scenario:
    """Return the scenario of a message to ``recipient``; with digits outside the table it is delivered."""
    return SCENARIOS.get(recipient[-3:], _DEFAULT)


def table() -> str:
    """Return the table as text for a terminal, one line for each scenario."""
    return "\n".join(f"  {scenario.digits}  {scenario.expected:<9}  {scenario.description}" for scenario in _TABLE)
