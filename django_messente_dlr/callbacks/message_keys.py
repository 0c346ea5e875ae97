"""The identity of a message in its callback URL: its primary key and the time at which it was created.

A primary key alone can come again for another message: after a backup is restored, and on SQLite after a rollback.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.http import base36_to_int, int_to_base36

# Eleven digits in base 36 are enough until the year 4172, and every such number is a valid time.
ENCODED_KEY = "[1-9][0-9]{0,18}-[0-9a-z]{1,11}"
ORIGIN = datetime.min.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class MessageKey(NamedTuple):
    """The identity of a message.

    Attributes:
        pk: the primary key.
        created_at: the time at which the message was created. The databases store it without rounding.
    """

    pk: int
    created_at: datetime

    def encode(self) -> str:
        """Return the primary key and the microseconds of the time in base 36, such as "7-hgp51pqfyio"."""
        moment = self.created_at
        if settings.USE_TZ:
            moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        else:
            # A local time is not converted: if it occurs twice, the database does not store which of the two it is.
            naive = timezone.make_naive(moment) if timezone.is_aware(moment) else moment
            moment = naive.replace(tzinfo=UTC)
        return f"{self.pk}-{int_to_base36((moment - ORIGIN) // MICROSECOND)}"

    @classmethod
    def decode(cls, text: str) -> MessageKey:
        """Return the key that `encode` returned as ``text``.

        Args:
            text: a text that matches `ENCODED_KEY`.
        """
        pk, _, digits = text.partition("-")
        moment = ORIGIN + base36_to_int(digits) * MICROSECOND
        return cls(int(pk), moment if settings.USE_TZ else moment.replace(tzinfo=None))
