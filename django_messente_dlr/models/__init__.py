"""The models: messages, delivery reports, pending polls, the send queue, accounts and statistics."""

from __future__ import annotations

from django_messente_dlr.models.accounts import Account
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.pending import PendingPoll
from django_messente_dlr.models.queue import QueuedMessage, QueuePriority
from django_messente_dlr.models.reports import DeliveryReport, ReportOutcome
from django_messente_dlr.models.resend_content import ResendContent
from django_messente_dlr.models.statistics import MessageStatistics

__all__ = [
    "Account",
    "DeliveryReport",
    "MessageStatistics",
    "PendingPoll",
    "QueuePriority",
    "QueuedMessage",
    "ReportOutcome",
    "ResendContent",
    "SmsMessage",
]
