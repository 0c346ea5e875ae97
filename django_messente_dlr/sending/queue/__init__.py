"""The send queue: messages that wait in the database until a worker sends them.

`enqueue` and `many` write a message and its `QueuedMessage` in the caller's transaction.
"""

from __future__ import annotations

from django_messente_dlr.sending.queue.enqueue import aqueue_message, aqueue_sms, queue_message, queue_sms
from django_messente_dlr.sending.queue.many import queue_many

__all__ = ["aqueue_message", "aqueue_sms", "queue_many", "queue_message", "queue_sms"]
