"""The constraints and indexes of messages: few indexes, nearly all partial, as each costs time for each message."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q

from django_messente_dlr.models.indexes import PartialIndexIfSupported, PartialUniqueIfSupported
from django_messente_dlr.models.querysets import is_uncommon
from django_messente_dlr.models.statuses import Status

MESSAGE_CONSTRAINTS: list[models.BaseConstraint] = [
    # unique=True would create a second index for LIKE on PostgreSQL, which no query uses.
    models.UniqueConstraint(fields=["sms_unique_id"], name="messente_dlr_sms_unique_id"),
    # Reports are compared by rank, and people read the status. If they differed in a row, no report would correct it.
    models.CheckConstraint(
        condition=reduce(or_, (Q(status=status.value, rank=status.rank) for status in Status)),
        name="messente_dlr_status_rank",
    ),
    # The policy of RESEND sends each message again once, whatever happens to the claim of the message.
    PartialUniqueIfSupported(
        fields=["resend_of", "attempt"],
        condition=Q(attempt__isnull=False),
        name="messente_dlr_resend_attempt",
    ),
]

MESSAGE_INDEXES = [
    models.Index(fields=["recipient"], name="messente_dlr_recipient"),  # search for a recipient
    models.Index(fields=["created_at"], name="messente_dlr_created"),  # statistics of an hour; pruning by age
    # A message that is sent and delivered is in none of the partial indexes below. A search for such messages
    # matches most rows and needs no index. No index contains a column that a delivery changes.
    PartialIndexIfSupported(
        fields=["omnimessage_id"], condition=Q(omnimessage_id__gt=""), name="messente_dlr_omnimessage"
    ),
    PartialIndexIfSupported(fields=["reference"], condition=Q(reference__gt=""), name="messente_dlr_reference"),
    PartialIndexIfSupported(
        fields=["resend_of"], condition=Q(resend_of__isnull=False), name="messente_dlr_resend_of"
    ),
    PartialIndexIfSupported(
        fields=["may_lack_poll", "id"], condition=Q(may_lack_poll=True), name="messente_dlr_lacks_poll"
    ),  # used by the sweep
    # The filters of the admin's list, in the list's order: they find few rows without reading all of them.
    PartialIndexIfSupported(
        fields=["uncommon_status", "id"],
        condition=Q(uncommon_status__isnull=False),
        name="messente_dlr_by_status",
    ),
    PartialIndexIfSupported(
        fields=["uncommon_err", "id"], condition=Q(uncommon_err__isnull=False), name="messente_dlr_by_err"
    ),
    PartialIndexIfSupported(
        fields=["account", "id"], condition=is_uncommon("account"), name="messente_dlr_by_account"
    ),
    PartialIndexIfSupported(
        fields=["channel", "id"], condition=is_uncommon("channel"), name="messente_dlr_by_channel"
    ),
]
