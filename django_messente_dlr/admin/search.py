"""Search messages and reports by an id, by the project's reference, or by a phone number in any spelling.

Each lookup is exact and uses an index. ``icontains`` would read the whole table, and so would the ``iexact`` lookup
that the admin builds from ``=recipient``.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.recipients import recipient_spellings
from django_messente_dlr.models.reports import ORPHAN, ORPHAN_OR_OMNIMESSAGE

# `SmsMessage.__str__` of a message without an id from Messente.
PRIMARY_KEY = re.compile(r"#([0-9]{1,18})", re.ASCII)
# An omnimessage has few messages, and a message has few reports.
MAX_MATCHES = 100


def search_messages(messages: QuerySet[SmsMessage], term: str) -> QuerySet[SmsMessage]:
    """Return the messages whose id, reference or recipient is ``term``."""
    term = _normalize(term)
    condition = _id_condition(term)
    if numbers := recipient_spellings(term):
        condition |= Q(recipient__in=numbers)
    return messages.filter(condition)


def search_reports(reports: QuerySet[DeliveryReport], term: str) -> QuerySet[DeliveryReport]:
    """Return the reports whose message id is ``term``, and the reports of the messages whose id or reference it is.

    A report for a per-message callback URL can lack the message id.
    """
    term = _normalize(term)
    # Separate queries: with subqueries inside an OR, databases use no index.
    messages = SmsMessage.objects.filter(_id_condition(term))
    by_message_id = DeliveryReport.objects.filter(ORPHAN_OR_OMNIMESSAGE, sms_unique_id=term)
    # The list shows an orphan report without a message id by its omnimessage id.
    orphans = DeliveryReport.objects.filter(ORPHAN, omnimessage_id=term)
    return reports.filter(
        Q(pk__in=[*_first_pks(by_message_id), *_first_pks(orphans)]) | Q(message__in=_first_pks(messages))
    )


def _normalize(term: str) -> str:
    # The admin's list refuses NUL characters, the autocomplete view of a project's ForeignKey does not, and
    # PostgreSQL raises an error. No id contains U+FFFD.
    return term.strip().replace("\x00", "\ufffd")


def _first_pks(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:MAX_MATCHES])


def _id_condition(term: str) -> Q:
    """Return the condition for messages with this id at Messente, reference or, after "#", primary key."""
    condition = Q(sms_unique_id=term) | Q(omnimessage_id=term, omnimessage_id__gt="")
    condition |= Q(reference=term, reference__gt="")
    match = PRIMARY_KEY.fullmatch(term)
    return condition | Q(pk=int(match[1])) if match else condition
