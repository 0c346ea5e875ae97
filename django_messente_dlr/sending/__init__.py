"""Send messages, and record messages that another client sends.

`send_sms` calls Messente. `prepare_sms` and `mark_sent` go before and after the call of another client.
`track_sms` records a message that is already sent.
"""

from __future__ import annotations

from django_messente_dlr.sending.mark import mark_sent
from django_messente_dlr.sending.send import prepare_sms, send_sms
from django_messente_dlr.sending.track import track_sms

__all__ = ["mark_sent", "prepare_sms", "send_sms", "track_sms"]
