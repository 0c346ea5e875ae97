"""A local Messente over real HTTP, for trying the app without an account, a charge or a handset.

The sandbox accepts the requests of Messente's clients, and sends responses and callbacks in Messente's format. It
imports `django_messente_dlr.messente` and nothing else of the package: no models and no settings.
"""

from __future__ import annotations

from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from django_messente_dlr.sandbox.sandbox import Sandbox

__all__ = ["CallbackAttempt", "Sandbox", "SandboxMessage"]
