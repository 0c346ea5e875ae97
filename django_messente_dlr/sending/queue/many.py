"""Queue many messages with `queue_many`, which reads them as a stream and inserts them in batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction

from django_messente_dlr.exceptions import QueueItemInvalid, RecipientNotAllowed
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sending import outgoing
from django_messente_dlr.sending.option_names import suggestion
from django_messente_dlr.sending.queue.drafts import Draft, draft, insert
from django_messente_dlr.sending.queue.enqueue import queue_message, queue_sms
from django_messente_dlr.sending.queue.push import push_on_commit
from django_messente_dlr.utils import db_retry

INVALID = (ValueError, TypeError, RecipientNotAllowed, ImproperlyConfigured)
# The arguments that `draft` takes; the others are those of the functions in `outgoing`.
OF_DRAFT = {"metadata": None, "reference": "", "not_before": None, "priority": None}


def queue_many(items: Iterable[Mapping[str, Any]], *, batch_size: int = 1000) -> int:
    """Queue messages as `queue_sms` and `queue_message` do, and return their number.

    The items are read one batch at a time, so that a generator of any length needs little memory. Each batch is
    inserted in the current transaction or, if there is none, in a transaction of its own.

    Args:
        items: for each message the arguments of `queue_sms`, such as ``{"to": "+37255500000", "text": "Tere"}``; or
            those of `queue_message`, if they contain ``channels``.
        batch_size: the number of messages in one batch.

    Raises:
        QueueItemInvalid: a message cannot be sent. Its batch is not queued. The exception has its index, and the
            number of messages of earlier batches, which are queued.
        ValueError: ``batch_size`` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}.")
    using = router.db_for_write(SmsMessage)
    queued, iterator = 0, iter(items)
    while batch := list(islice(iterator, batch_size)):
        drafts = [_checked(item, index=queued + position, queued=queued) for position, item in enumerate(batch)]
        db_retry.retry_on_contention(
            lambda drafts=drafts: _insert(drafts, using=using),  # type: ignore[misc]
            using=using,
            lost_connection=False,
        )
        queued += len(drafts)
    return queued


def _checked(item: Mapping[str, Any], *, index: int, queued: int) -> Draft:
    """Return the rows of an item of `queue_many`.

    Args:
        item: the item.
        index: its place among all items.
        queued: the number of items that are queued already.

    Raises:
        QueueItemInvalid: the item cannot be queued.
    """
    try:
        return _draft(item)
    except INVALID as exc:
        raise QueueItemInvalid(str(exc), index=index, queued=queued) from exc


def _draft(item: Mapping[str, Any]) -> Draft:
    if not isinstance(item, Mapping):
        raise TypeError(f"it is of type {type(item).__name__}. Pass a dictionary of arguments of queue_sms.")
    is_text = "channels" not in item
    function: Callable[..., SmsMessage] = queue_sms if is_text else queue_message
    parameters = _parameters(function)
    for name in item:
        if name not in parameters:
            raise TypeError(f'{function.__name__}() has no argument "{name}". {suggestion(name, list(parameters))}')
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in item:
            raise TypeError(f'{function.__name__}() needs the argument "{name}".')
    own = {name: item.get(name, default) for name, default in OF_DRAFT.items()}
    options = {name: value for name, value in item.items() if name not in OF_DRAFT}
    build = outgoing.from_text if is_text else outgoing.from_channels
    return draft(build(**options), is_text=is_text, **own)


@cache
def _parameters(function: Callable[..., SmsMessage]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _insert(drafts: list[Draft], *, using: str) -> None:
    """Insert the rows of a batch with two statements, and push it on commit."""
    with transaction.atomic(using=using, savepoint=False):
        if connections[using].features.can_return_rows_from_bulk_insert:
            messages = [item.message for item in drafts]
            for message in messages:
                message.pk = None  # a rolled-back attempt set a primary key that another row may have by now
            SmsMessage.objects.using(using).bulk_create(messages)
            for item in drafts:
                item.queued.message = item.message
            QueuedMessage.objects.using(using).bulk_create([item.queued for item in drafts])
        else:  # MySQL returns no primary keys
            for item in drafts:
                insert(item, using=using)
        push_on_commit(None, using=using)
