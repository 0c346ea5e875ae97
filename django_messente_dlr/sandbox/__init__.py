"""A local Messente over real HTTP, for trying the app without an account, a charge or a handset.

The sandbox accepts the requests of Messente's clients, and sends responses and callbacks in Messente's format. It
imports `django_messente_dlr.messente` and nothing else of the package: no models and no settings.
"""

from __future__ import annotations

from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from django_messente_dlr.sandbox.sandbox import Sandbox
from django_messente_dlr.sandbox.scenario import Scenario, Step
from django_messente_dlr.sandbox.scenarios import SCENARIOS, scenario_of

__all__ = ["SCENARIOS", "CallbackAttempt", "Sandbox", "SandboxMessage", "Scenario", "Step", "scenario_of"]
