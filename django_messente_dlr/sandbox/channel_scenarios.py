"""The scenarios of messages of several channels, 4xx. A message of one channel has the last channel's reports.

The next channel is tried when a channel has failed. In all other scenarios the channels have the same reports: with
001 each of them fails. `Sandbox.channel_scenarios` selects a scenario by the channel's name instead.

When a channel's ``ttl`` or ``validity`` runs out, Messente tries the next channel. The sandbox does not measure these
times: in 403 the channel expires after the usual delay.
"""

from __future__ import annotations

from dataclasses import replace

from django_messente_dlr.sandbox.scenario import (
    ACCEPTED,
    DELIVERED,
    EXPIRED,
    FAILED,
    LATER_BY_POLL,
    Scenario,
    Step,
)

INVALID_NUMBER = Step("UNDELIV", "3")
SENDER_NOT_ALLOWED = Step("REJECTD", "7")
FAILED_BY_POLL = replace(FAILED, callback=False)

CHANNEL_SCENARIOS = (
    Scenario(
        "401",
        "delivered",
        "The first channel fails; the next one delivers.",
        (DELIVERED,),
        failing_channels=((FAILED,),),
    ),
    Scenario(
        "402",
        "delivered",
        "The first two channels fail; the third one delivers.",
        (DELIVERED,),
        failing_channels=((FAILED,), (SENDER_NOT_ALLOWED,)),
    ),
    Scenario(
        "403",
        "delivered",
        "The first channel accepts the message, its ttl runs out, and the next one delivers.",
        (DELIVERED,),
        failing_channels=((ACCEPTED, EXPIRED),),
    ),
    Scenario(
        "404",
        "failed",
        "All channels fail; the last one because it expires.",
        (EXPIRED,),
        failing_channels=((FAILED,), (INVALID_NUMBER,)),
    ),
    Scenario(
        "405",
        "failed",
        "All channels fail; the first one rejects the sender name.",
        (FAILED,),
        failing_channels=((SENDER_NOT_ALLOWED,),),
    ),
    Scenario(
        "406",
        "delivered",
        "As 401; six identical callbacks come at once for each report.",
        (replace(DELIVERED, times=6),),
        failing_channels=((replace(FAILED, times=6),),),
    ),
    Scenario(
        "407",
        "delivered",
        "As 401, but the callback of the failure comes after that of the delivery.",
        (DELIVERED,),
        failing_channels=((replace(FAILED, late=True),),),
    ),
    Scenario(
        "408",
        "failed",
        "As 404, but the callbacks come in the reverse order of the channels.",
        (EXPIRED,),
        failing_channels=((replace(FAILED, late=True),), (replace(INVALID_NUMBER, late=True),)),
    ),
    Scenario(
        "409",
        "delivered",
        "As 401, but the first channel delivers the message later, too.",
        (DELIVERED,),
        failing_channels=((FAILED, DELIVERED),),
    ),
    Scenario(
        "411",
        "delivered",
        "As 401, but only a poll reports it.",
        (LATER_BY_POLL,),
        failing_channels=((FAILED_BY_POLL,),),
    ),
    Scenario(
        "412",
        "failed",
        "As 404, but only a poll reports it.",
        (replace(EXPIRED, callback=False),),
        failing_channels=((FAILED_BY_POLL,), (replace(INVALID_NUMBER, callback=False),)),
    ),
    Scenario(
        "413",
        "failed",
        "As 404, but only a poll reports the failure of the last channel.",
        (replace(EXPIRED, callback=False),),
        failing_channels=((FAILED,), (INVALID_NUMBER,)),
    ),
)
