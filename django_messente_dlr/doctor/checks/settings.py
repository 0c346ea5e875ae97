"""What the system checks say of the settings, those for deployment included."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import ERROR

from django_messente_dlr.checks import check_callback_url, check_deployment, check_settings
from django_messente_dlr.doctor.findings import Finding, Level, ok

TOPIC = "settings"
CHECKS = {check_settings: TOPIC, check_callback_url: TOPIC, check_deployment: "deployment"}


def run_system_checks() -> Iterator[Finding]:
    """Yield a finding for each message of our own system checks that is not silenced."""
    well = True
    for check, topic in CHECKS.items():
        for message in check(None):
            if not message.is_silenced():
                well = False
                level = Level.ERROR if message.level >= ERROR else Level.WARNING
                yield Finding(level, topic, f"{message.msg} ({message.id})", message.hint or "")
    if well:
        yield ok(TOPIC, "The system checks have nothing to say, those for deployment included.")
