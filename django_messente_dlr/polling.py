"""The `Poller`: claim messages that are due, ask Messente, record what it says, and say when to ask again.

Threads ask; the thread that runs the Poller alone speaks with the database, in short transactions, none of which is
open while a question is under way. A claim whose process dies runs out by itself.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import router
from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch, ledger, tallies
from django_messente_dlr.clients import client_for
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.schedule import WINDOW, next_question
from django_messente_dlr.statuses import Status, status_of

logger = logging.getLogger(__name__)

NO_REPORT = "Messente told nothing final within its 48 hours."


@dataclass(slots=True)
class Summary:
    """What one run did, in numbers of messages unless it says otherwise.

    Attributes:
        asked: questions that were asked.
        final: messages whose end was learnt.
        open: messages that are to be asked about again.
        unresolved: messages that were given up after 48 hours.
        failed: questions that were not answered, or not understandably.
        matched: orphan reports whose message was found.
        dispatched: reports whose signals a dead process had left unsent.
        stopped: what is wrong with the accounts that were stopped, by their names.
    """

    asked: int = 0
    final: int = 0
    open: int = 0
    unresolved: int = 0
    failed: int = 0
    matched: int = 0
    dispatched: int = 0
    stopped: dict[str, str] = field(default_factory=dict)


class Poller:
    """Asks Messente about the messages that are due.

    Args:
        account_names: the accounts to poll; None for all that are configured.
        batch_size: messages in one claim; None for the setting.
        concurrency: threads that ask at the same time; None for the setting.
        limit: the greatest number of messages to ask about in one run; None for all that are due.

    Raises:
        ImproperlyConfigured: there is no such account.
    """

    def __init__(
        self,
        *,
        account_names: list[str] | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        limit: int | None = None,
    ) -> None:
        config = conf.current()
        names = list(config.accounts) if account_names is None else account_names
        self._accounts = {conf.account(name).name for name in names}
        self._batch_size = batch_size or config.poll_batch_size
        self._concurrency = concurrency or config.poll_concurrency
        self._limit = limit
        self._lease = timedelta(seconds=config.poll_lease)
        self.summary = Summary()

    def run(self) -> Summary:
        """Ask about everything that is due now, sweep up what was left undone, and return what that came to."""
        started = timezone.now()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="messente-poll") as pool:
            claims = self._claims(started)
            asking: dict[Future[list[Report]], SmsMessage] = {}
            while True:
                while len(asking) < self._concurrency and (message := next(claims, None)):
                    asking[pool.submit(_ask, message)] = message
                if not asking:
                    break
                for future in wait(asking, return_when=FIRST_COMPLETED).done:
                    self._finish(asking.pop(future), future)
        for name in self._accounts:
            accounts.note_poll(name, now=started)
        self.sweep()
        return self.summary

    def sweep(self) -> None:
        """Do what a process that died, or a race that no lock can win, has left undone."""
        self.summary.matched += ledger.match_orphans()
        self.summary.dispatched += dispatch.sweep()
        tallies.count()
        for account in Account.objects.filter(name__in=self._accounts, credits_exhausted_at__isnull=False):
            try:
                accounts.note_balance(account.name, client_for(account.name).balance(), now=timezone.now())
            except errors.MessenteError as exc:
                logger.warning("The balance of account %s could not be asked for: %s", account.name, exc)

    def _claims(self, now: datetime) -> Iterator[SmsMessage]:
        """Yield the messages to ask about, claiming a batch whenever the last one is used up."""
        claimed: deque[SmsMessage] = deque()
        left = self._limit
        while left is None or left > 0:
            if not claimed:
                count = self._batch_size if left is None else min(left, self._batch_size)
                due = SmsMessage.objects.filter(account__in=self._accounts)
                claimed.extend(due.claim(count, now=now, lease=self._lease))
                if not claimed:
                    return
            message = claimed.popleft()
            ours_until = message.next_poll_at
            if message.account not in self._accounts or ours_until is None or ours_until <= timezone.now():
                continue  # its account was stopped, or so slow was the batch that its lease has run out
            left = None if left is None else left - 1
            if message.sms_unique_id or message.omnimessage_id:
                yield message
            else:
                self._later(message, now=timezone.now())  # without an id there is nothing to ask by

    def _finish(self, message: SmsMessage, future: Future[list[Report]]) -> None:
        """Take the answer to one question."""
        self.summary.asked += 1
        now = timezone.now()
        try:
            reports = future.result()
        except (errors.CredentialsRefused, errors.AddressRefused) as exc:
            self.summary.failed += 1
            self._stop(message.account, str(exc), now=now)
            return
        except errors.MessenteError as exc:
            # An id that Messente does not know yet, or any more, is no failure: only nothing new.
            if not isinstance(exc, errors.UnknownMessage):
                self.summary.failed += 1
                logger.warning("No answer about message %s: %s", message.pk, exc)
            self._later(message, now=now)
            return
        for report in reports:
            try:
                ledger.record(report, account=message.account, named=message.pk)
            except ledger.ForeignReport:
                continue  # another channel's message of the same omnimessage, which has a row of its own
        if any((status := status_of(report)) and status.is_final for report in reports):
            self.summary.final += 1
        else:
            self._later(message, now=now)

    def _later(self, message: SmsMessage, *, now: datetime) -> None:
        """Say when to ask about a message again or, after 48 hours, that nobody will."""
        closes = (message.sent_at or message.created_at) + WINDOW
        if now >= closes:
            report = Report(source=Source.POLL, error_text=NO_REPORT, payload={"polls": message.poll_count + 1})
            ledger.record_end(message, report, Status.UNRESOLVED)
            self.summary.unresolved += 1
            return
        known = message.sms_unique_id or message.omnimessage_id
        at = next_question(now=now, closes=closes, polls=message.poll_count) if known else closes
        messages = SmsMessage.objects.using(router.db_for_write(SmsMessage))
        # A message that has become final meanwhile is not to be asked about again.
        messages.filter(pk=message.pk, next_poll_at__isnull=False).update(
            next_poll_at=at, poll_count=message.poll_count + 1
        )
        self.summary.open += 1

    def _stop(self, account: str, error: str, *, now: datetime) -> None:
        """Ask nothing more for an account: every further question would be refused too."""
        if account in self._accounts:
            self._accounts.discard(account)
            self.summary.stopped[account] = error
            accounts.note_poll(account, now=now, error=error)
            logger.error("Polling of account %s was stopped: %s", account, error)


def _ask(message: SmsMessage) -> list[Report]:
    """Ask Messente about one message. Runs in a thread, and touches no database."""
    client = client_for(message.account)
    if message.omnimessage_id:
        reports = client.ask_omnimessage(message.omnimessage_id)
        known = message.sms_unique_id
        return [report for report in reports if known in {None, report.sms_unique_id}]
    report = client.ask(message.sms_unique_id or "")
    return [report] if report else []
