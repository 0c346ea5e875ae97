"""The reports of a day, as the sandbox sent them and as they are stored."""

from __future__ import annotations

from collections import defaultdict

from django_messente_dlr.models import DeliveryReport
from tests.soak.day import Day


class Reports:
    """The reports of a day, as the sandbox sent them and as they are stored.

    Attributes:
        responses: by message id and ``stat``, the HTTP status of each attempt; None if it got no response.
        stored: by message id and ``stat``, the rows of the reports that were received by callback.
        rows: all rows.
    """

    def __init__(self, day: Day) -> None:
        self.responses: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        for attempt in day.attempts:
            self.responses[attempt.message.message_id, attempt.step.stat].append(attempt.status)
        self.rows = list(DeliveryReport.objects.order_by("pk").defer("payload"))
        self.stored = {(row.sms_unique_id, row.stat): row for row in self.rows if row.source != "poll"}

    def id_of(self, row: DeliveryReport) -> str:
        """Return the id of the message that the report is about: that of the omnimessage, if it has one."""
        return str(row.omnimessage_id or row.sms_unique_id)

    def attempts_without_response(self, row: DeliveryReport) -> int:
        """Return the number of attempts whose result is unknown."""
        return self.responses.get((row.sms_unique_id, row.stat), []).count(None)
