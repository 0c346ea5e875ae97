"""Writes down every signal that is heard, in a file that outlives its process; and may have the process die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

from django_messente_dlr import dispatch, signals


def begin() -> None:
    """Listen to every signal, and stand beside every connection."""
    for name, sent in signals.BY_NAME.items():
        sent.connect(partial(note, name), weak=False)
    connection_created.connect(_watch, weak=False)
    dispatch.dispatch_report = _dying_before(dispatch.dispatch_report)


def note(name: str, *, report: Any, message: Any, **kwargs: Any) -> None:
    told = (name, report.pk if report else "-", message.pk if message else "-", os.getpid(), time.time())
    line = f"{' '.join(map(str, told))}\n"
    # One short write to the end of the file: lines of several processes do not mix.
    with Path(os.environ["DLR_WITNESS"]).open("a") as file:
        file.write(line)
    if name == "dlr_status_changed":
        die_at("in a receiver")


def die_at(step: str) -> None:
    """Die here as by ``kill -9``, if that is asked for and nobody has done so before."""
    if os.environ.get("DLR_DIE_AT") != step:
        return
    try:
        Path(os.environ["DLR_DIE_ONCE"]).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _dying_before(send: Callable[..., Any]) -> Callable[..., Any]:
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        die_at("between commit and dispatch")
        return send(*args, **kwargs)

    return dispatched


def _watch(*, connection: Any, **kwargs: Any) -> None:
    def watched(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "deliveryreport" in sql:
            die_at("before the commit")
        if sql.startswith("UPDATE") and "dispatched_at" in sql:
            die_at("before it is noted that the signals were sent")
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(watched)
