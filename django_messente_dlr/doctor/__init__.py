"""The checks of ``messente_doctor``: whether reports arrive, their signals are sent, and the queue is sent.

Each finding is a `django.core.checks.CheckMessage`: ``obj`` is the topic, and ``id`` is stable. A finding holds no
secret, so it can be logged. The secret callback URLs come from `dashboard_urls` alone. `run_checks` changes no row;
`send_one` sends a real SMS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.core.checks import ERROR, INFO, CheckMessage

from django_messente_dlr import callbacks, conf
from django_messente_dlr.doctor.checks.callbacks import check_callbacks
from django_messente_dlr.doctor.checks.database import check_database
from django_messente_dlr.doctor.checks.keys import check_keys
from django_messente_dlr.doctor.checks.messente import check_messente, send_one
from django_messente_dlr.doctor.checks.queue import check_queue
from django_messente_dlr.doctor.checks.records import check_records
from django_messente_dlr.doctor.checks.settings import TOPIC as SETTINGS
from django_messente_dlr.doctor.checks.settings import run_system_checks

HOST_NOT_ALLOWED = "django_messente_dlr.W006"
CALLBACK_ANSWERED = "django_messente_dlr.doctor.D024"

__all__ = ["dashboard_urls", "max_level", "run_checks", "send_one"]


def run_checks() -> Iterator[CheckMessage]:
    """Yield the findings about the settings, Messente, the callback URL, the database and the rows."""
    settings = list(run_system_checks())
    yield from (finding for finding in settings if finding.id != HOST_NOT_ALLOWED)
    if _has_settings_error(settings):
        return  # the other checks need readable settings
    yield from check_messente()
    callbacks_findings = list(check_callbacks())
    if not any(finding.id == CALLBACK_ANSWERED for finding in callbacks_findings):
        # If the callback view answered, a proxy passes a host that is allowed, and the warning would be wrong.
        yield from (finding for finding in settings if finding.id == HOST_NOT_ALLOWED)
    yield from callbacks_findings
    database = list(check_database())
    yield from database
    if max_level(database) < ERROR:
        yield from check_records()
        yield from check_queue()
        yield from check_keys()


def dashboard_urls() -> dict[str, str]:
    """Return each account's callback URL for Messente's dashboard by the account's name.

    The URLs are secrets: show them on a terminal, never in a log. The result is empty if the settings have an error
    or no ``CALLBACK_BASE_URL``.
    """
    if _has_settings_error(run_system_checks()) or not conf.get_config().callback_base_url:
        return {}
    return {name: callbacks.callback_url(name) for name in conf.accounts()}


def max_level(findings: Iterable[CheckMessage]) -> int:
    """Return the highest level of the findings; INFO if there are none."""
    return max((finding.level for finding in findings), default=INFO)


def _has_settings_error(findings: Iterable[CheckMessage]) -> bool:
    return max_level(finding for finding in findings if finding.obj == SETTINGS) >= ERROR
