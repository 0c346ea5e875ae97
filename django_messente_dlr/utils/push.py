"""Notify the project's task queue of work that is due. The rows of the database are complete without it."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)


def call_on_commit(path: str, pk: int | None, *, using: str, setting: str, otherwise: str) -> None:
    """Call a function of the project after the current transaction is committed. An error is logged.

    The error of a broker that is down must become neither that of the project's request nor the answer to Messente.

    Args:
        path: the dotted path of the function; "" for none.
        pk: its argument, the primary key of the row that is due; None if several are.
        using: the database alias of the transaction.
        setting: the name of the setting that has the path, for the log.
        otherwise: what does the work if the function fails, for the log.
    """
    if path:
        transaction.on_commit(lambda: _call(path, pk, setting=setting, otherwise=otherwise), using=using, robust=True)


def _call(path: str, pk: int | None, *, setting: str, otherwise: str) -> None:
    try:
        import_string(path)(pk)
    except Exception:
        logger.exception("%s failed for row %s; %s.", setting, pk, otherwise)
