"""A local Messente over real HTTP, to try everything against without an account, a cent or a handset.

In come calls as Messente's clients make them; out go answers and callbacks as Messente makes them. It knows
`django_messente_dlr.messente` and nothing else of the package: no models and no settings.
"""

from __future__ import annotations

from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from django_messente_dlr.sandbox.sandbox import Sandbox
from django_messente_dlr.sandbox.scenario import Scenario, Step
from django_messente_dlr.sandbox.scenarios import SCENARIOS, scenario_of

__all__ = ["SCENARIOS", "CallbackAttempt", "Sandbox", "SandboxMessage", "Scenario", "Step", "scenario_of"]
