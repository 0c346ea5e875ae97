"""The rows: a message, every report about it, what is known of each account, and how many messages came to what."""

from __future__ import annotations

from django_messente_dlr.models.accounts import Account
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.reports import DeliveryReport
from django_messente_dlr.models.tallies import Tally

__all__ = ["Account", "DeliveryReport", "SmsMessage", "Tally"]
