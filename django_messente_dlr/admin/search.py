"""Finds messages by what a person has at hand: an id, or a phone number in whatever way it is written.

Every lookup is exact and has an index: ``icontains`` reads the whole table, and so does the ``iexact`` that the admin
makes of ``=recipient``.
"""

from __future__ import annotations

import re

from django.db.models import Q, QuerySet

from django_messente_dlr.models import DeliveryReport, SmsMessage

# `SmsMessage.__str__` for one that has no id of Messente's yet.
OWN_NUMBER = re.compile(r"#([0-9]{1,18})", re.ASCII)
# An omnimessage is some messages, never many.
MESSAGES = 100


def spellings(number: str) -> list[str]:
    """Return the ways in which a phone number may stand in the table; [] for what is no phone number.

    The number is kept as the project gave it: with +, with 00 or with neither.

    Args:
        number: as a person typed or pasted it, with spaces, hyphens, brackets or dots.
    """
    if any(char.isalpha() for char in number):
        return []
    digits = "".join(char for char in number if char in "0123456789").removeprefix("00")
    return [f"+{digits}", digits, f"00{digits}"] if digits else []


def messages_about(messages: QuerySet[SmsMessage], term: str) -> QuerySet[SmsMessage]:
    """Return those messages that have ``term`` for an id, or go to it."""
    term = term.strip()
    asked = Q(sms_unique_id=term) | Q(omnimessage_id=term)
    if numbers := spellings(term):
        asked |= Q(recipient__in=numbers)
    if own := OWN_NUMBER.fullmatch(term):
        asked |= Q(pk=int(own[1]))
    return messages.filter(asked)


def reports_about(reports: QuerySet[DeliveryReport], term: str) -> QuerySet[DeliveryReport]:
    """Return those reports that have ``term`` for a message's id, or are about a message that has.

    A report that came by its message's own URL need not tell the id.
    """
    term = term.strip()
    # Asked first, and not as a subquery: within an OR that would keep databases from using either index.
    named = SmsMessage.objects.filter(Q(sms_unique_id=term) | Q(omnimessage_id=term)).values_list("pk", flat=True)
    return reports.filter(Q(sms_unique_id=term) | Q(message__in=list(named[:MESSAGES])))
