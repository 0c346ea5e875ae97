"""`resend` with a message of the send queue whose outcome is unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import queue_sms, resend
from tests.unit.admin.pages import act, html, listed, page_url
from tests.unit.admin.test_actions import results

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500143"


def queued(**columns: Any) -> SmsMessage:
    """Queue a message, and give its row columns. By default its outcome is unknown."""
    now = timezone.now()
    unknown = {"due_at": None, "attempted_at": now - timedelta(minutes=9), "leased_until": now - timedelta(minutes=4)}
    message = queue_sms(NUMBER, "Tere", sender="Shop", reference="order-17")
    QueuedMessage.objects.filter(pk=message.pk).update(**(columns or unknown))
    return message


def test_resend__unknown_outcome(messente_sandbox: Sandbox) -> None:
    message = queued()
    new = resend(message, may_arrive_twice=True)
    assert (new.resend_of_id, new.status, new.reference, new.sender) == (message.pk, "sent", "order-17", "Shop")
    assert [sent.text for sent in messente_sandbox.messages] == ["Tere"]
    assert not QueuedMessage.objects.exists()
    assert message.resent_at is not None
    with pytest.raises(ValueError, match="already sent again"):
        resend(message, may_arrive_twice=True)


def test_resend__unknown_outcome_needs_the_decision(messente_sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="may still arrive"):
        resend(queued())
    assert not messente_sandbox.messages


@pytest.mark.parametrize("state", ["waiting", "attempted"])
def test_resend__other_states_of_the_queue(state: str, messente_sandbox: Sandbox) -> None:
    now = timezone.now()
    attempted = {"due_at": None, "attempted_at": now, "leased_until": now + timedelta(minutes=4)}
    message = queued(**(attempted if state == "attempted" else {"due_at": now}))
    with pytest.raises(ValueError, match="may still arrive"):
        resend(message, may_arrive_twice=True)
    assert QueuedMessage.objects.count() == 1


def test_admin__sends_an_unknown_outcome_again(admin_client: Client, messente_sandbox: Sandbox) -> None:
    message = queued()
    assert 'value="resend"' in html(admin_client, page_url(message))
    page = act(admin_client, "resend", message).content.decode()
    assert "The outcome of 1 of them is unknown: its recipient may get the message twice." in page
    assert results(act(admin_client, "resend", message, confirmed="yes"))[0][1] == "Sent"
    assert len(messente_sandbox.messages) == 1
    assert listed(admin_client, SmsMessage, queue="unknown") == []


def test_admin__waiting_message_cannot_be_sent_again(admin_client: Client) -> None:
    message = queued(due_at=timezone.now())
    assert 'value="resend"' not in html(admin_client, page_url(message))
