"""The play: sends the cast's messages, each in its way, and goes through an outage of credit."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import requests
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.accounts import is_held
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.callbacks import callback_url
from django_messente_dlr.exceptions import CreditsExhausted, MessenteError
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import mark_sent, prepare_sms, send_sms, track_sms
from shop.demo.cast import Part, Way
from shop.models import Order

TEXT = "Your parcel is here."


def send(part: Part) -> SmsMessage:
    """Send one message of the cast in its way, and return its row."""
    order = Order.objects.create(phone=part.recipient)
    metadata = {"order": order.pk}
    if part.way is Way.OMNICHANNEL:
        message = _by_omnichannel(part, metadata)
    elif part.way is Way.TRACK:
        message = _tracked(part, metadata)
    else:
        try:
            message = send_sms(part.recipient, TEXT, sender="Shop", metadata=metadata)
        except MessenteError as exc:
            if exc.sms_message is None:
                raise
            message = exc.sms_message
    if part.way is Way.AGED:
        past = timezone.now() - timedelta(hours=48)
        SmsMessage.objects.filter(pk=message.pk).update(created_at=past, sent_at=past)
        PendingPoll.objects.filter(pk=message.pk).update(due_at=timezone.now())
    Order.objects.filter(pk=order.pk).update(message=message)
    return message


def run_out_of_credit(part: Part, messente: Sandbox, *, until: float) -> SmsMessage:
    """Send a message for which there is no credit, and see the next one refused; add credit in the end.

    Raises:
        AssertionError: the account was not held, or the next message not refused.
    """
    messente.balance = Decimal(0)
    message = send(part)
    if not wait_for(lambda: is_held(conf.DEFAULT_ACCOUNT), until=until):
        raise AssertionError("The account was not put on hold.")
    try:
        send_sms(part.recipient, TEXT)
    except CreditsExhausted:
        messente.balance = Decimal(50)
        return message
    raise AssertionError("send_sms did not refuse to send without credit.")


def wait_for(condition: Callable[[], bool], *, until: float) -> bool:
    """Wait until a condition holds; False if it does not before ``until`` (seconds, as of time.monotonic)."""
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _by_omnichannel(part: Part, metadata: dict[str, int]) -> SmsMessage:
    message = prepare_sms(part.recipient, sender="Shop", channel="viber", metadata=metadata)
    account = conf.account(conf.DEFAULT_ACCOUNT)
    answer = requests.post(
        f"{conf.get_config().omnichannel_url}/omnimessage",
        auth=(account.username, account.password),
        json={
            "to": part.recipient,
            "messages": [{"channel": "viber", "sender": "Shop", "text": TEXT}],
            "dlr_url": message.callback_url,
        },
        timeout=10,
    )
    answer.raise_for_status()
    told = answer.json()
    return mark_sent(message, told["messages"][0]["message_id"], omnimessage_id=told["omnimessage_id"])


def _tracked(part: Part, metadata: dict[str, int]) -> SmsMessage:
    sms_unique_id = client_for(conf.DEFAULT_ACCOUNT).send(part.recipient, TEXT, dlr_url=callback_url())
    wait_for(
        lambda: DeliveryReport.objects.orphans().filter(sms_unique_id=sms_unique_id).exists(),
        until=time.monotonic() + 10,
    )
    return track_sms(sms_unique_id, recipient=part.recipient, metadata=metadata)
