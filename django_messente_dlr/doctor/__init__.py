"""Looks whether everything is set up so that reports come and are told of: `examine` tells what it found.

Nothing here changes a row but, where asked to, one real SMS that is sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from django_messente_dlr.doctor.checks.callbacks import examine_callbacks
from django_messente_dlr.doctor.checks.database import examine_database
from django_messente_dlr.doctor.checks.keys import examine_keys
from django_messente_dlr.doctor.checks.messente import examine_messente, send_one
from django_messente_dlr.doctor.checks.records import examine_records
from django_messente_dlr.doctor.checks.settings import TOPIC as SETTINGS
from django_messente_dlr.doctor.checks.settings import examine_settings
from django_messente_dlr.doctor.findings import Finding, Level, worst

__all__ = ["Finding", "Level", "examine", "send_one", "worst"]


def examine() -> Iterator[Finding]:
    """Yield what is found: of the settings, Messente, the callback URL, the database and the rows."""
    settings = list(examine_settings())
    yield from settings
    if worst(finding for finding in settings if finding.topic == SETTINGS) is Level.ERROR:
        return  # nothing that follows could be asked
    yield from examine_messente()
    yield from examine_callbacks()
    database = list(examine_database())
    yield from database
    if worst(database) is not Level.ERROR:
        yield from examine_records()
        yield from examine_keys()
