"""Notify the project's task queue of messages that are due. The queue is complete without it."""

from __future__ import annotations

from django_messente_dlr import conf
from django_messente_dlr.utils.push import call_on_commit


def push_on_commit(message_pk: int | None, *, using: str) -> None:
    """Call ``QUEUE_PUSH`` after the current transaction is committed. An error is logged.

    Args:
        message_pk: the message that is due; None if several are.
        using: the database alias of the transaction.
    """
    path = conf.get_config().queue_push
    call_on_commit(path, message_pk, using=using, setting="QUEUE_PUSH", otherwise="the next send_queued sends it")
