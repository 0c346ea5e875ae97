"""Questions, and the threads that ask them. Nothing here touches the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils.rate_limiter import PollSkipped, RateLimiter

# How often one question is asked that is answered with HTTP 429, and the seconds between where Messente names none.
TRIES = 3
PAUSE = 1.0
# The longest pause that is made, whatever is named: messages' 48 hours run on, and an hour later one question tells.
LONGEST_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """One question, and the messages that its answer is about: one, or the channels of one omnimessage.

    Attributes:
        messages: the messages' rows.
        ours_until: when it is too late to ask, because others may claim them; None for never.
    """

    messages: tuple[SmsMessage, ...]
    ours_until: datetime | None = None

    @property
    def account(self) -> str:
        """The account that is to ask."""
        return self.messages[0].account


def status_requests_for(messages: Iterable[SmsMessage], *, ours_until: datetime | None = None) -> list[StatusRequest]:
    """Return the questions that tell of all ``messages``: an omnimessage's channels are asked about at once."""
    groups: dict[tuple[str, object], list[SmsMessage]] = {}
    for message in messages:
        # Of another type than an id, so that no omnimessage is ever called what a message is.
        key: object = message.omnimessage_id or message.pk
        groups.setdefault((message.account, key), []).append(message)
    return [StatusRequest(tuple(group), ours_until) for group in groups.values()]


class StatusFetcher:
    """Asks Messente, from any number of threads at once.

    Args:
        rate_limiter: how fast.

    Attributes:
        refused: accounts for which nothing is asked any more.
        noted: those of them of which it was noted and logged why.
        served: accounts about whose messages Messente has answered.
    """

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self.rate_limiter = rate_limiter
        self.refused: set[str] = set()
        self.noted: set[str] = set()
        self.served: set[str] = set()

    def fetch(self, request: StatusRequest) -> list[Report | None]:
        """Ask Messente, when it may be asked, and return its reports, None for each that there is not yet.

        Raises:
            PollSkipped: it was not asked, and why does not matter to the message.
            MessenteError: it could not be asked, or did not answer understandably.
        """
        for left in reversed(range(TRIES)):
            self.rate_limiter.wait()
            if request.account in self.refused:
                raise PollSkipped(f"Messente refuses the account {request.account}.")
            if request.ours_until and timezone.now() >= request.ours_until:
                raise PollSkipped("Its claim has run out.")
            try:
                return _ask(request.messages[0])
            except (errors.CredentialsRefused, errors.IpAddressRefused):
                # Here, not when the answer is taken: the next question would be refused too.
                self.refused.add(request.account)
                raise
            except errors.HostUnavailable as exc:
                raise PollSkipped(str(exc), again_in=exc.retry_after) from None
            except errors.RateLimited as exc:
                self.rate_limiter.pause(PAUSE if exc.retry_after is None else min(exc.retry_after, LONGEST_PAUSE))
                if not left or self.rate_limiter.is_closed:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover


def _ask(message: SmsMessage) -> list[Report | None]:
    client = client_for(message.account)
    if message.omnimessage_id:
        return client.get_omnimessage_status(message.omnimessage_id)
    return [client.get_report(message.sms_unique_id or "")]
