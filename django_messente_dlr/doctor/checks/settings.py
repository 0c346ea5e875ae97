"""Run this app's system checks, including those of ``check --deploy``."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Info

from django_messente_dlr.checks import check_callback_url, check_deployment, check_rest_api, check_settings

TOPIC = "settings"
CHECKS = {check_settings: TOPIC, check_callback_url: TOPIC, check_rest_api: TOPIC, check_deployment: "deployment"}


def run_system_checks() -> Iterator[CheckMessage]:
    """Yield each message of this app's system checks that is not silenced, with its topic as ``obj``."""
    passed = True
    for check, topic in CHECKS.items():
        for message in check(None):
            if not message.is_silenced():
                passed = False
                message.obj = topic
                yield message
    if passed:
        yield Info(
            "The system checks report no problem, including those for deployment.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D001",
        )
