"""Finds messages by what a person has at hand: an id, or a phone number in whatever way it is written.

Every lookup is exact and has an index: ``icontains`` reads the whole table, and so does the ``iexact`` that the admin
makes of ``=recipient``.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.reports import ORPHAN, ORPHAN_OR_OMNIMESSAGE
from django_messente_dlr.utils.phone_numbers import spellings

# `SmsMessage.__str__` for one that has no id of Messente's yet.
OWN_NUMBER = re.compile(r"#([0-9]{1,18})", re.ASCII)
# An omnimessage is some messages, never many, and a message has some reports.
MOST = 100


def messages_about(messages: QuerySet[SmsMessage], term: str) -> QuerySet[SmsMessage]:
    """Return those messages that have ``term`` for an id, or go to it."""
    term = term.strip()
    asked = _has_id(term)
    if numbers := spellings(term):
        asked |= Q(recipient__in=numbers)
    return messages.filter(asked)


def reports_about(reports: QuerySet[DeliveryReport], term: str) -> QuerySet[DeliveryReport]:
    """Return those reports that have ``term`` for a message's id, or are about a message that has.

    A report that came by its message's own URL need not tell the id.
    """
    term = term.strip()
    # Asked first, and not as subqueries: within an OR those would keep databases from using any index.
    named = SmsMessage.objects.filter(_has_id(term))
    telling = DeliveryReport.objects.filter(ORPHAN_OR_OMNIMESSAGE, sms_unique_id=term)
    # An orphan is listed by its omnimessage where it tells no other id.
    whole = DeliveryReport.objects.filter(ORPHAN, omnimessage_id=term)
    return reports.filter(Q(pk__in=[*_first(telling), *_first(whole)]) | Q(message__in=_first(named)))


def _first(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:MOST])


def _has_id(term: str) -> Q:
    """Return what finds the messages that have ``term`` for an id: of a message, of an omnimessage, or of our own."""
    asked = Q(sms_unique_id=term) | Q(omnimessage_id=term, omnimessage_id__gt="")
    own = OWN_NUMBER.fullmatch(term)
    return asked | Q(pk=int(own[1])) if own else asked
