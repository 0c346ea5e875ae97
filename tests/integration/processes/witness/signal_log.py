"""Record every signal in a file that outlives the process, and kill the process at a given step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

from django_messente_dlr import signals
from django_messente_dlr.dispatch import send
from django_messente_dlr.sending.queue.requests import Sender


def start() -> None:
    """Connect a receiver to every signal, and wrap every database connection."""
    for name, sent in signals.BY_NAME.items():
        sent.connect(partial(record, name), weak=False)
    connection_created.connect(_wrap_statements, weak=False)
    send.dispatch_report = _die_before(send.dispatch_report)
    Sender.send = _die_around(Sender.send)  # type: ignore[method-assign]


def record(name: str, *, report: Any, message: Any, **kwargs: Any) -> None:
    """Append a line to the file: signal, report, message, process id and time."""
    values = (name, report.pk if report else "-", message.pk if message else "-", os.getpid(), time.time())
    line = f"{' '.join(map(str, values))}\n"
    # A line is one short write in append mode, so that lines of several processes do not mix.
    with Path(os.environ["DLR_WITNESS"]).open("a") as file:
        file.write(line)
    if name == "dlr_status_changed":
        die_at("in a receiver")


def die_at(step: str) -> None:
    """Kill this process with SIGKILL if the test requests it for this step, and no process has died before."""
    if os.environ.get("DLR_DIE_AT") != step:
        return
    try:
        Path(os.environ["DLR_DIE_ONCE"]).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _die_before(function: Callable[..., Any]) -> Callable[..., Any]:
    def die_and_send(*args: Any, **kwargs: Any) -> Any:
        die_at("between commit and dispatch")
        return function(*args, **kwargs)

    return die_and_send


def _die_around(function: Callable[..., Any]) -> Callable[..., Any]:
    def die_or_send(*args: Any, **kwargs: Any) -> Any:
        die_at("before the request")
        answers = function(*args, **kwargs)
        die_at("after the answer")
        return answers

    return die_or_send


def _wrap_statements(*, connection: Any, **kwargs: Any) -> None:
    def die_or_execute(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "deliveryreport" in sql:
            die_at("before the commit")
        if sql.startswith("UPDATE") and "dispatched_at" in sql:
            die_at("before marking as dispatched")
        if "queuedmessage" in sql:
            if sql.startswith("UPDATE") and '"attempted_at" = ' in sql.replace("`", '"').split("WHERE")[0]:
                die_at("after the claim")
            if sql.startswith("DELETE"):
                die_at("in the commit of the result")
            if sql.startswith("INSERT"):
                die_at("in the commit of the resend")
        if sql.startswith("INSERT") and "pendingpoll" in sql:
            die_at("in the commit of the attempt")
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(die_or_execute)
