"""Send messages again that failed for a temporary cause, as the setting ``RESEND`` states, through the send queue.

`dispatch` calls this after the commit of the failure, and again if the process dies before the signals are sent. The
new message, its row in the queue and the claim of the old one are written in one transaction, so that a message is
sent again once.
"""

from __future__ import annotations

import logging

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import conf, dispatch, receiving
from django_messente_dlr.exceptions import RecipientNotAllowed
from django_messente_dlr.models import QueuedMessage, SmsMessage, chains
from django_messente_dlr.sending import kept
from django_messente_dlr.sending.cancelling import cancel_waiting
from django_messente_dlr.sending.queue import content, drafts
from django_messente_dlr.sending.resending import claim_resend, prepare_resend
from django_messente_dlr.sending.stored import has_content
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import shift, to_db_datetime

logger = logging.getLogger(__name__)


def register() -> None:
    """Let `dispatch` call this module about failures and late deliveries."""
    hook = dispatch.ResendHook(
        is_set=lambda: conf.get_config().resend is not None, resend=resend_once, end_chain=end_chain
    )
    dispatch.register_resend_hook(hook)


def resend_once(message: SmsMessage) -> bool:
    """Queue a message again that failed; return whether the policy sends it again, by this call or by another.

    Args:
        message: the message as it is stored. Its delivery state is updated.
    """
    policy, attempt = conf.get_config().resend, chains.next_attempt(message)
    if policy is None or attempt > policy.attempts:
        return False
    try:
        draft = _draft(message, policy, attempt=attempt)
    except (ValueError, RecipientNotAllowed, ImproperlyConfigured) as exc:
        logger.warning("RESEND does not send message %s again: %s", message.pk, exc)
        return False
    using = router.db_for_write(SmsMessage)

    def write() -> None:
        with transaction.atomic(using=using):
            claim_resend(message)
            drafts.insert(draft, using=using)
            kept.delete_kept(message)

    try:
        db_retry.retry_on_contention(write, using=using)
    except (ValueError, IntegrityError, SmsMessage.DoesNotExist):
        # Another process sent it again, or a report has delivered it meanwhile, or its commit was not acknowledged.
        receiving.reload(message)
        return chains.successor(message) is not None
    receiving.reload(message)
    return True


def end_chain(message: SmsMessage) -> None:
    """Cancel the messages that wait in the queue to repeat a message, which was delivered meanwhile.

    Args:
        message: the message as it is stored.
    """
    for later in chains.later_messages(message):
        cancel_waiting(later)


def cancel_if_not_needed(message: SmsMessage) -> bool:
    """Cancel a queued message if a message that it repeats was delivered; return whether it is cancelled.

    A report can deliver a message while the policy sends it again, so the worker decides just before it sends.

    Args:
        message: the message of a row in the queue.
    """
    return message.attempt is not None and chains.is_delivered_earlier(message) and cancel_waiting(message)


def _draft(message: SmsMessage, policy: conf.ResendPolicy, *, attempt: int) -> drafts.Draft:
    """Return the rows of the message that repeats a message.

    Raises:
        ValueError: the message may not be sent again, or its content is not stored.
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number.
        ImproperlyConfigured: the account is not configured, or the project's URLs do not include this app's.
    """
    row, request = prepare_resend(message, queued=None if has_content(message) else kept.kept_content(message))
    due_at = to_db_datetime(shift(timezone.now(), policy.delay_before(attempt)))
    row.attempt = attempt
    row.may_lack_poll = False
    row.send_at = due_at  # otherwise it would count as a message of prepare_sms
    queued = QueuedMessage(
        account=row.account,
        content=content.to_json(request),
        priority=drafts.PRIORITIES.get(request.priority, drafts.PRIORITIES["regular"]),
        due_at=due_at,
    )
    return drafts.Draft(message=row, queued=queued)
