"""System checks: mistakes in the set-up are found before they cost reports.

Each has an id, a sentence and a hint that says what to do. What matters only once real reports come is checked under
``manage.py check --deploy``.
"""

from __future__ import annotations

from django_messente_dlr.checks.callback_url import check_callback_url
from django_messente_dlr.checks.deployment import check_deployment
from django_messente_dlr.checks.settings import check_settings

__all__ = ["check_callback_url", "check_deployment", "check_settings"]
