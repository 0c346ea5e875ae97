"""The table of fates: the recipient's last three digits choose what becomes of a message. Data, and how to read it.

000 to 010 and 999 end with the error code of the same number; 10x are about order and repetition; 11x and 12x about
words and numbers; 13x about older spellings; 14x about asking instead of being told; 2xx about ``send_sms`` itself
(2 and the last two digits of its answer, where it has one); 3xx about trouble while asking.

Which ``stat`` Messente sends with which ``err`` is documented nowhere: the pairs here are plausible ones. ACK and
SEEN are words of the Omnichannel API, and nobody says that they come by GET, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from django_messente_dlr.sandbox.scenario import Scenario, Step

ACCEPTED = Step("ACCEPTD")
DELIVERED = Step("DELIVRD")
LATER_BY_POLL = Step("DELIVRD", callback=False)

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
    Scenario("999", "failed", "A temporary error stops it: it should be sent again.", (Step("FAILED", "999"),)),
    # Order and repetition
    Scenario("101", "delivered", "It is accepted first, then delivered.", (ACCEPTED, DELIVERED)),
    Scenario("102", "sent", "It is accepted, and nothing more is ever known.", (ACCEPTED,)),
    Scenario("103", "delivered", "It fails, but is delivered late after all.", (Step("UNDELIV", "1"), DELIVERED)),
    Scenario(
        "104", "delivered", "It is delivered, and the report of its acceptance comes late.", (DELIVERED, ACCEPTED)
    ),
    Scenario("105", "delivered", "It is delivered, and a failure is told later.", (DELIVERED, Step("FAILED", "1"))),
    Scenario("106", "delivered", "It is delivered; six equal callbacks come at once.", (Step("DELIVRD", times=6),)),
    Scenario("107", "failed", "It fails, and the cause comes later.", (Step("FAILED", None), Step("FAILED", "2"))),
    Scenario(
        "108", "rejected", "It fails; later the cause: out of credits.", (Step("FAILED", None), Step("REJECTD", "4"))
    ),
    # Words
    Scenario("111", "failed", "A bare UNDELIV comes, without err.", (Step("UNDELIV", None),)),
    Scenario("112", "failed", "A bare FAILED comes, without err.", (Step("FAILED", None),)),
    Scenario("113", "failed", "A bare EXPIRED comes, without err.", (Step("EXPIRED", None),)),
    Scenario("114", "failed", "A bare DELETED comes, without err.", (Step("DELETED", None),)),
    Scenario("115", "failed", "A bare NACK comes, without err.", (Step("NACK", None),)),
    Scenario("116", "sent", "UNKNOWN comes with a blank err and stays the last word.", (Step("UNKNOWN"),)),
    Scenario("117", "rejected", "A bare REJECTD comes, without err.", (Step("REJECTD", None),)),
    Scenario("118", "delivered", "ACK comes first, then it is delivered.", (Step("ACK"), DELIVERED)),
    Scenario("119", "failed", "UNKNOWN comes with err 1, which tells the failure.", (Step("UNKNOWN", "1"),)),
    # Words and numbers that nobody knows, and numbers that do not count
    Scenario("121", "sent", "A word comes that nobody knows, and stays the last.", (Step("PONDERD"),)),
    Scenario(
        "122", "failed", "A word comes that nobody knows, but err 1 tells the failure.", (Step("PONDERD", "1"),)
    ),
    Scenario("123", "failed", "FAILED comes with an err that nobody knows.", (Step("FAILED", "77"),)),
    Scenario("124", "delivered", "It is delivered although err says 1.", (Step("DELIVRD", "1"),)),
    Scenario(
        "125", "delivered", "A word comes that nobody knows, then it is delivered.", (Step("PONDERD"), DELIVERED)
    ),
    # Spellings
    Scenario("130", "delivered", "It is delivered with err=000.", (Step("DELIVRD", "000"),)),
    Scenario(
        "131",
        "delivered",
        "It is delivered, told as status=DELIVERED.",
        (Step("DELIVRD", get={"status": "DELIVERED"}),),
    ),
    Scenario("132", "failed", "It fails, told as status=FAILED.", (Step("FAILED", get={"status": "FAILED"}),)),
    Scenario(
        "133",
        "delivered",
        "status=SENT comes first, then status=DELIVERED.",
        (Step("ACCEPTD", get={"status": "SENT"}), Step("DELIVRD", get={"status": "DELIVERED"})),
    ),
    Scenario("134", "delivered", "It is delivered, told as dlr-mask=1.", (Step("DELIVRD", get={"dlr-mask": "1"}),)),
    Scenario("135", "failed", "It fails, told as dlr-mask=2.", (Step("FAILED", get={"dlr-mask": "2"}),)),
    Scenario("136", "failed", "It fails, told as dlr-mask=16.", (Step("FAILED", get={"dlr-mask": "16"}),)),
    Scenario(
        "137",
        "delivered",
        "dlr-mask=4, dlr-mask=8 and then dlr-mask=1 come.",
        (
            Step("ACCEPTD", get={"dlr-mask": "4"}),
            Step("ACCEPTD", get={"dlr-mask": "8"}),
            Step("DELIVRD", get={"dlr-mask": "1"}),
        ),
    ),
    Scenario("138", "rejected", "The account is out of credits, told as err=004.", (Step("REJECTD", "004"),)),
    Scenario("139", "delivered", "It is delivered, in lower case.", (Step("delivrd"),)),
    # Asking
    Scenario("141", "delivered", "It is delivered; no callback comes, asking tells it.", (LATER_BY_POLL,)),
    Scenario(
        "142", "failed", "It fails; no callback comes, asking tells it.", (Step("UNDELIV", "1", callback=False),)
    ),
    Scenario("143", "sent", "No report ever comes, and asking says FAILED 102."),
    Scenario("144", "delivered", "A callback tells its acceptance, asking its delivery.", (ACCEPTED, LATER_BY_POLL)),
    Scenario(
        "145",
        "failed",
        "A callback tells its acceptance, asking its failure.",
        (ACCEPTED, Step("EXPIRED", "2", callback=False)),
    ),
    # Sending
    Scenario("203", "rejected", "Sending answers ERROR 103: the IP address is not allowed.", refusal="ERROR 103"),
    Scenario("204", "rejected", "Sending answers ERROR 104: the country is not found.", refusal="ERROR 104"),
    Scenario("205", "rejected", "Sending answers ERROR 105.", refusal="ERROR 105"),
    Scenario("206", "rejected", "Sending answers ERROR 106.", refusal="ERROR 106"),
    Scenario("207", "rejected", "Sending answers ERROR 107.", refusal="ERROR 107"),
    Scenario("208", "rejected", "Sending answers ERROR 108: the number is blacklisted.", refusal="ERROR 108"),
    Scenario("209", "failed", "Sending answers FAILED 209, a server failure, each time.", refusal="FAILED 209"),
    Scenario("211", "rejected", "Sending answers ERROR 111: the sender is not activated.", refusal="ERROR 111"),
    Scenario(
        "219",
        "delivered",
        "Sending answers FAILED 209 once; the next call is accepted, and the message delivered.",
        (DELIVERED,),
        refusal="FAILED 209",
        recovers=True,
    ),
    Scenario("229", "failed", "Sending answers HTTP 429, too many requests.", refusal="HTTP 429"),
    Scenario("250", "queued", "Sending answers HTTP 500, so nobody knows whether it was sent.", refusal="HTTP 500"),
    Scenario(
        "260", "delivered", "The callback comes before sending is answered.", (DELIVERED,), before_response=True
    ),
    Scenario(
        "261",
        "rejected",
        "The same, and the account is out of credits.",
        (Step("REJECTD", "4"),),
        before_response=True,
    ),
    Scenario("270", "delivered", "Sending is answered too late, but it is delivered.", (DELIVERED,), times_out=True),
    # Trouble while asking
    Scenario(
        "302",
        "delivered",
        "As 141, but the first two questions get FAILED 102.",
        (LATER_BY_POLL,),
        poll_first=("FAILED 102",) * 2,
    ),
    Scenario(
        "303", "delivered", "As 141, but the first question gets OK SENT.", (LATER_BY_POLL,), poll_first=("OK SENT",)
    ),
    Scenario(
        "307",
        "delivered",
        "As 141, but the first question gets ERROR 107.",
        (LATER_BY_POLL,),
        poll_first=("ERROR 107",),
    ),
    Scenario(
        "309",
        "delivered",
        "As 141, but the first question gets FAILED 209.",
        (LATER_BY_POLL,),
        poll_first=("FAILED 209",),
    ),
    Scenario(
        "329",
        "delivered",
        "As 141, but the first question gets HTTP 429.",
        (LATER_BY_POLL,),
        poll_first=("HTTP 429",),
    ),
    Scenario(
        "350",
        "delivered",
        "As 141, but the first question gets HTTP 500.",
        (LATER_BY_POLL,),
        poll_first=("HTTP 500",),
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.digits: scenario for scenario in _TABLE}
OTHERWISE = SCENARIOS["000"]


def scenario_of(recipient: str) -> Scenario:
    """Return the fate of a message to ``recipient``; whatever is not in the table is delivered."""
    return SCENARIOS.get(recipient[-3:], OTHERWISE)


def table() -> str:
    """Return the table as text, one fate a line, for a terminal."""
    return "\n".join(f"  {scenario.digits}  {scenario.expected:<9}  {scenario.description}" for scenario in _TABLE)
