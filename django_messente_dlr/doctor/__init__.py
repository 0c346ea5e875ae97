"""Looks whether everything is set up so that reports come and are told of: `run_checks` tells what it found.

Nothing here changes a row but, where asked to, one real SMS that is sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from django_messente_dlr.doctor.checks.callbacks import check_callbacks
from django_messente_dlr.doctor.checks.database import check_database
from django_messente_dlr.doctor.checks.keys import check_keys
from django_messente_dlr.doctor.checks.messente import check_messente, send_one
from django_messente_dlr.doctor.checks.records import check_records
from django_messente_dlr.doctor.checks.settings import TOPIC as SETTINGS
from django_messente_dlr.doctor.checks.settings import run_system_checks
from django_messente_dlr.doctor.findings import Finding, Level, max_level

__all__ = ["Finding", "Level", "max_level", "run_checks", "send_one"]


def run_checks() -> Iterator[Finding]:
    """Yield what is found: of the settings, Messente, the callback URL, the database and the rows."""
    settings = list(run_system_checks())
    yield from settings
    if max_level(finding for finding in settings if finding.topic == SETTINGS) is Level.ERROR:
        return  # nothing that follows could be asked
    yield from check_messente()
    yield from check_callbacks()
    database = list(check_database())
    yield from database
    if max_level(database) is not Level.ERROR:
        yield from check_records()
        yield from check_keys()
