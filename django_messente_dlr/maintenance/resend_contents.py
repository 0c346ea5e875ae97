"""Delete what was kept of messages that are final, and that ``RESEND`` does not send again."""

from __future__ import annotations

from django.db import router
from django.db.models import Exists, OuterRef

from django_messente_dlr.models import DeliveryReport, ResendContent
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry

BATCH = 1000


def delete_final_contents() -> int:
    """Delete the kept contents of final messages; return their number.

    The content of a message is needed until the signals of its reports are sent, because the message is sent again
    before ``dlr_failed``.
    """
    rows = ResendContent.objects.using(router.db_for_write(ResendContent))
    due = DeliveryReport.objects.filter(message=OuterRef("pk"), dispatch_due_at__isnull=False)
    final = rows.filter(~Exists(due), message__rank__gte=Status.UNRESOLVED.rank).order_by("pk")
    deleted = 0
    # Two statements, because MySQL cannot delete from a table that its subquery reads.
    while keys := list(final.values_list("pk", flat=True)[:BATCH]):
        deleted += db_retry.retry_on_contention(lambda keys=keys: rows.filter(pk__in=keys).delete()[0], using=rows.db)  # type: ignore[misc]
    return deleted
