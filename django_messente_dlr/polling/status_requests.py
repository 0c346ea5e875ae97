"""Request the statuses of messages from Messente, in threads. This module does not use the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils.rate_limiter import RateLimiter, RequestSkipped

# How often a request is sent that Messente answers with HTTP 429.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """One request, and the messages that its response is about: one, or the channels of one omnimessage.

    Attributes:
        messages: the rows of the messages.
        deadline: from when the request is not sent, because the claim is about to expire; None for no deadline.
    """

    messages: tuple[SmsMessage, ...]
    deadline: datetime | None = None

    @property
    def account(self) -> str:
        """The account whose credentials the request has."""
        return self.messages[0].account


def status_requests_for(messages: Iterable[SmsMessage], *, deadline: datetime | None = None) -> list[StatusRequest]:
    """Return the requests for ``messages``: one per omnimessage, and one for each other message."""
    groups: dict[tuple[str, object], list[SmsMessage]] = {}
    for message in messages:
        # A primary key is an int and an omnimessage id a str, so they never collide.
        key: object = message.omnimessage_id or message.pk
        groups.setdefault((message.account, key), []).append(message)
    return [StatusRequest(tuple(group), deadline) for group in groups.values()]


class StatusFetcher:
    """Send status requests, from any number of threads at the same time.

    Args:
        rate_limiter: limits the requests per second.

    Attributes:
        refused: accounts that Messente refused; no more requests are sent for them.
        recorded_refusals: those of ``refused`` whose reason was recorded and logged.
        served: accounts for which Messente has answered a request.
    """

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self.rate_limiter = rate_limiter
        self.refused: set[str] = set()
        self.recorded_refusals: set[str] = set()
        self.served: set[str] = set()

    def fetch(self, request: StatusRequest) -> list[Report | None]:
        """Wait for the rate limiter, send a request, and return Messente's reports; None for each pending one.

        Raises:
            RequestSkipped: the request was not sent, for a reason that does not concern the message.
            MessenteError: the request failed, or the response was not understood.
        """
        for attempts_left in reversed(range(ATTEMPTS)):
            self.rate_limiter.wait()
            if request.account in self.refused:
                raise RequestSkipped(f"Messente refuses the account {request.account}.")
            if request.deadline and timezone.now() >= request.deadline:
                raise RequestSkipped("The claim of the message has expired.")
            try:
                return _fetch(request.messages[0])
            except (errors.CredentialsRefused, errors.IpAddressRefused):
                # In this thread, before the response is processed: Messente would refuse the next request too.
                self.refused.add(request.account)
                raise
            except errors.HostUnavailable as exc:
                raise RequestSkipped(str(exc), again_in=exc.retry_after) from None
            except errors.RateLimited as exc:
                self.rate_limiter.pause_as_requested(exc.retry_after)
                if not attempts_left or self.rate_limiter.is_closed:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover


def _fetch(message: SmsMessage) -> list[Report | None]:
    client = client_for(message.account)
    if message.omnimessage_id:
        return client.get_omnimessage_status(message.omnimessage_id)
    return [client.get_report(message.sms_unique_id or "")]
