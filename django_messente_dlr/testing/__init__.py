"""Test helpers for projects: an outbox, factories, simulated callbacks with signatures, and pytest fixtures.

The extra ``django-messente-dlr[testing]`` installs what the factories and fixtures require. No other module of the
package imports this one.
"""

from __future__ import annotations

from django_messente_dlr.backends.locmem import outbox
from django_messente_dlr.testing.mixins import OutboxMixin

__all__ = ["OutboxMixin", "outbox"]
