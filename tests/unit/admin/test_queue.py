"""The send queue in the admin: filters with counts, the page of a message, cancelling, and the overview."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_messente_dlr.admin.queue import QueueState
from django_messente_dlr.models import MessageStatistics, PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import queue_sms
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.admin.pages import act, html, list_url, listed, page_url
from tests.unit.admin.test_actions import results

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


def ago(minutes: float) -> datetime:
    return timezone.now() - minutes * MINUTE


def queued(state: QueueState | None = None, **columns: Any) -> SmsMessage:
    """Queue a message, and give its row the columns of a state."""
    message = queue_sms("+37255500000", "Tere")
    if state in {QueueState.ATTEMPTED, QueueState.UNKNOWN}:
        columns = {"due_at": None, "attempted_at": ago(6), **columns}
        PendingPoll.objects.create(message=message, account=message.account, due_at=ago(-4))
    if state is not None and state is not QueueState.WAITING:
        columns = {"leased_until": ago(1 if state is QueueState.UNKNOWN else -4), **columns}
    QueuedMessage.objects.filter(pk=message.pk).update(**columns)
    return message


def chips(page: str) -> list[str]:
    """Return the links of the quick filters, with their counts."""
    markup = page.partition('<ul class="messente-dlr-chips" aria-label="Messages in the send queue">')[2]
    found = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*) <strong>([^<]*)</strong>', markup.partition("</ul>")[0])
    return [" ".join(link) for link in found]


@pytest.mark.parametrize("state", QueueState)
def test_queue_filter__lists_one_state(state: QueueState, admin_client: Client) -> None:
    messages = {other: queued(other) for other in QueueState}
    SmsMessageFactory.create()
    assert listed(admin_client, SmsMessage, queue=state.value) == [messages[state]]


def test_queue_filter__unknown_value(admin_client: Client) -> None:
    assert admin_client.get(list_url(SmsMessage), {"queue": "other"}).status_code == 302


def test_queue_filter__worker_that_died(admin_client: Client) -> None:
    message = queued(QueueState.CLAIMED, leased_until=ago(1))
    assert listed(admin_client, SmsMessage, queue="waiting") == [message]


def test_chips__count_each_state(admin_client: Client) -> None:
    for state in (QueueState.WAITING, QueueState.WAITING, QueueState.CLAIMED, QueueState.UNKNOWN):
        queued(state)
    page = html(admin_client, f"{list_url(SmsMessage)}?queue=unknown")
    assert chips(page) == [
        "?queue=waiting Waiting in the queue 2",
        "?queue=attempted Being sent 0",
        "?queue=unknown Unknown outcome 1",
    ]
    assert page.count('href="?queue=unknown" aria-current="true"') == 1


def test_chips__hidden_without_a_queue(admin_client: Client) -> None:
    SmsMessageFactory.create()
    assert chips(html(admin_client, list_url(SmsMessage))) == []
    assert len(chips(html(admin_client, f"{list_url(SmsMessage)}?queue=unknown"))) == 3


def test_chips__stop_counting(admin_client: Client) -> None:
    """With a long queue no statement counts all of it: each has a LIMIT."""
    messages = SmsMessage.objects.bulk_create(
        SmsMessageFactory.build(queued=True, next_poll_at=None) for _ in range(1002)
    )
    if not messages[0].pk:  # MySQL
        messages = list(SmsMessage.objects.all())
    QueuedMessage.objects.bulk_create(
        QueuedMessage(message=message, account="default", due_at=ago(0)) for message in messages
    )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = html(admin_client, list_url(SmsMessage))
    assert chips(page)[0] == "?queue=waiting Waiting in the queue 1000+"
    assert all("LIMIT" in query["sql"] for query in queries if "queuedmessage" in query["sql"])


def test_page__waiting(admin_client: Client) -> None:
    page = html(admin_client, page_url(queued(due_at=ago(-60), priority=30, attempts=2)))
    for text in (
        "<strong>Waiting in the queue</strong>",
        "Messente does not have it yet.",
        "Priority: High.",
        "2 attempts so far, which certainly sent nothing.",
        'value="cancel"',
    ):
        assert text in page
    assert "Next poll" not in page
    assert "Late" not in page


def test_page__late(admin_client: Client) -> None:
    page = html(admin_client, page_url(queued(due_at=ago(11))))
    assert "<strong>Late in the queue</strong>" in page
    assert "Run send_queued every minute" in page


def test_page__credit_hold(admin_client: Client) -> None:
    AccountFactory.create(name="default", held=True)
    assert "its messages wait until the hold ends" in html(admin_client, page_url(queued()))


@pytest.mark.parametrize(
    ("state", "title", "sentence"),
    [
        (QueueState.CLAIMED, "Claimed by a worker", "A worker has reserved the message and will send it next."),
        (QueueState.ATTEMPTED, "Being sent", "A worker is sending the message to Messente."),
        (QueueState.UNKNOWN, "Unknown outcome", "no response to the request was recorded."),
    ],
)
def test_page__state(state: QueueState, title: str, sentence: str, admin_client: Client) -> None:
    page = html(admin_client, page_url(queued(state)))
    assert f"<strong>{title}</strong>" in page
    assert sentence in page
    assert ("never sent again automatically" in page) == (state is QueueState.UNKNOWN)
    # A worker that has begun to send the message is faster than a person.
    assert ('value="cancel"' in page) == (state is QueueState.CLAIMED)


def test_page__content_is_hidden(admin_client: Client) -> None:
    message = queue_sms("+37255500000", "A secret text")
    assert "A secret text" not in html(admin_client, page_url(message))


def test_cancel__waiting_message(admin_client: Client) -> None:
    message, attempted = queued(), queued(QueueState.ATTEMPTED)
    assert results(act(admin_client, "cancel", message, attempted))[0][-1] == "Yes"
    lines = results(act(admin_client, "cancel", message, attempted, confirmed="yes"))
    assert [line[1] for line in lines] == ["Cancelled", "Not cancelled"]
    message.refresh_from_db()
    assert message.status == "cancelled"
    assert list(QueuedMessage.objects.values_list("pk", flat=True)) == [attempted.pk]
    assert "Cancelled in the queue." in html(admin_client, page_url(message, "history"))


def test_resend__confirms_only_what_the_page_warned_of(admin_client: Client) -> None:
    """A worker may end between the page and the button, so that the outcome of its message becomes unknown."""
    unknown, attempted = queued(QueueState.UNKNOWN), queued(QueueState.ATTEMPTED)
    page = act(admin_client, "resend", unknown, attempted).content.decode()
    assert "its recipient may get the message twice" in page
    assert re.findall(r'name="_selected_action" value="(\d+)"', page) == [str(unknown.pk)]


def test_overview__queue_of_each_account(admin_client: Client) -> None:
    AccountFactory.create(name="marketing")
    queued(due_at=ago(3))
    queued(due_at=ago(-30))
    page = html(admin_client, list_url(MessageStatistics))
    assert '<a href="/admin/django_messente_dlr/smsmessage/?queue=waiting&amp;account=default">2</a>' in page
    assert re.search(r"\(oldest due <time [^>]*>3 minutes ago</time>\)", page)
    assert "are late" not in page


def test_overview__without_a_queue(admin_client: Client) -> None:
    AccountFactory.create()
    assert "In the queue" not in html(admin_client, list_url(MessageStatistics))


def test_overview__late_messages(admin_client: Client) -> None:
    queued(due_at=ago(11))
    warning = "Queued messages of “default” are late."
    assert warning in html(admin_client, list_url(MessageStatistics))
    AccountFactory.create(name="default", held=True)
    assert warning not in html(admin_client, list_url(MessageStatistics))


def test_overview__account_not_configured(admin_client: Client) -> None:
    message = queued()
    AccountFactory.create(name="removed")
    QueuedMessage.objects.filter(pk=message.pk).update(account="removed")
    page = html(admin_client, list_url(MessageStatistics))
    assert "The account “removed” is not configured, so its queued messages are not sent." in page


def test_overview__unknown_outcomes(admin_client: Client) -> None:
    queued(QueueState.UNKNOWN)
    page = html(admin_client, list_url(MessageStatistics))
    assert "The outcome of sending some messages is unknown." in page
    assert '?queue=unknown">Unknown outcome <strong>1</strong></a>' in page
