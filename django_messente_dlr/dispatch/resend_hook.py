"""The hook by which `sending` sends a message again, after the commit of its failure and before ``dlr_failed``.

This package is in a lower layer than `sending`, which registers its functions when the app is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django_messente_dlr.models import SmsMessage, chains
from django_messente_dlr.models.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendHook:
    """What `sending` does about reports.

    Attributes:
        is_set: returns whether messages are sent again, so that failures without receivers are dispatched, too.
        resend: is called with a message that failed for a temporary cause. Returns whether it is sent again. Two
            processes may call it at the same time, and it may be called again after a crash.
        end_chain: is called with a message that was delivered after it was sent again.
    """

    is_set: Callable[[], bool]
    resend: Callable[[SmsMessage], bool]
    end_chain: Callable[[SmsMessage], object]


_hooks: list[ResendHook] = []


def register_resend_hook(hook: ResendHook) -> None:
    """Call a hook about all reports from now on, instead of an earlier one."""
    _hooks[:] = [hook]


def acts_on(names: Iterable[str], message: SmsMessage | None) -> bool:
    """Return whether the hook has to be called for signals, although they may have no receivers.

    Args:
        names: the names of the signals.
        message: their message as it was read before the report; None if it was not read, because it had not failed.
    """
    has_failed = message is not None and Status(message.status).is_failure
    was_resent = message is not None and message.resent_at is not None
    # While messages are sent again, not ``resent_at`` alone: another process may set it after the message was read.
    return any(
        (name == "dlr_failed" and hook.is_set())
        or (name == "dlr_delivered" and has_failed and (was_resent or hook.is_set()))
        for hook in _hooks
        for name in names
    )


def resend(message: SmsMessage, *, is_due: bool) -> bool:
    """Send a message again that failed for a temporary cause, and return whether it is or was sent again.

    Args:
        message: the message as it is stored.
        is_due: whether this is the dispatch of a report that was recorded, and not a repetition of its signals.
    """
    if chains.successor(message) is not None:
        return True
    return is_due and any(hook.resend(message) for hook in _hooks)


def end_chain(message: SmsMessage) -> None:
    """Cancel the messages that wait to be sent instead of a message that was delivered.

    Args:
        message: the message as it is stored.
    """
    if message.resent_at is not None:
        for hook in _hooks:
            hook.end_chain(message)
