"""System checks of the app's settings and of the project's settings that affect callbacks.

Each message has an id and a hint that states the correction. ``manage.py check --deploy`` adds the checks that matter
only on a site that receives real reports.
"""

from __future__ import annotations

from django_messente_dlr.checks.callback_url import check_callback_url
from django_messente_dlr.checks.deployment import check_deployment
from django_messente_dlr.checks.dispatch import check_dispatch
from django_messente_dlr.checks.numbers import check_numbers
from django_messente_dlr.checks.queue import check_queue
from django_messente_dlr.checks.rest_api import check_rest_api
from django_messente_dlr.checks.settings import check_settings

__all__ = [
    "check_callback_url",
    "check_deployment",
    "check_dispatch",
    "check_numbers",
    "check_queue",
    "check_rest_api",
    "check_settings",
]
