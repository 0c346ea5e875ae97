"""Create signed callback URLs."""

from __future__ import annotations

from django_messente_dlr.callbacks.message_keys import MessageKey
from django_messente_dlr.callbacks.tokens import callback_url, message_callback_url

__all__ = ["MessageKey", "callback_url", "message_callback_url"]
