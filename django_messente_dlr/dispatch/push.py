"""Notify the project's task queue of signals that are due, if the receivers are deferred.

The rows are complete without it: the sweep sends the signals of reports that no task took.
"""

from __future__ import annotations

from django_messente_dlr import conf
from django_messente_dlr.utils.push import call_on_commit


def is_deferred() -> bool:
    """Return whether another process than the one that records a report sends its signals (``DISPATCH``)."""
    return conf.get_config().dispatch == "deferred"


def push_on_commit(report_pk: int | None, *, using: str) -> None:
    """Call ``DISPATCH_PUSH`` after the current transaction is committed. An error is logged.

    Args:
        report_pk: the report whose signals are due. None if ``credits_restored`` of an account is due.
        using: the database alias of the transaction.
    """
    path = conf.get_config().dispatch_push
    call_on_commit(path, report_pk, using=using, setting="DISPATCH_PUSH", otherwise="the sweep sends its signals")
