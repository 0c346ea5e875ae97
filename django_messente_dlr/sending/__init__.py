"""Send messages, and record messages that another client sends.

`send_sms` and `send_message` call Messente, and `send_prepared` sends a message of `prepare_sms`. `prepare_sms` and
`mark_sent` go before and after the call of another client, and `mark_failed` after a refusal. `track_sms` records a
message that is already sent. `cancel` cancels a scheduled message, and `resend` sends one that did not arrive again.
`queue_sms`, `queue_message` and `queue_many` write messages in the caller's transaction; ``send_queued`` sends them.
`message_parts` counts the parts of a text. Messente charges for each part.
"""

from __future__ import annotations

from django_messente_dlr.messente.channels import Rcs, Sms, Viber, WhatsApp
from django_messente_dlr.sending.cancelling import cancel
from django_messente_dlr.sending.mark import mark_failed, mark_sent
from django_messente_dlr.sending.prepared import send_prepared
from django_messente_dlr.sending.queue import aqueue_message, aqueue_sms, queue_many, queue_message, queue_sms
from django_messente_dlr.sending.resending import aresend, resend
from django_messente_dlr.sending.send import asend_message, asend_sms, prepare_sms, send_message, send_sms
from django_messente_dlr.sending.track import track_sms
from django_messente_dlr.utils.message_parts import MessageParts, message_parts

__all__ = [
    "MessageParts",
    "Rcs",
    "Sms",
    "Viber",
    "WhatsApp",
    "aqueue_message",
    "aqueue_sms",
    "aresend",
    "asend_message",
    "asend_sms",
    "cancel",
    "mark_failed",
    "mark_sent",
    "message_parts",
    "prepare_sms",
    "queue_many",
    "queue_message",
    "queue_sms",
    "resend",
    "send_message",
    "send_prepared",
    "send_sms",
    "track_sms",
]
