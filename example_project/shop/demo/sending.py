"""Send the demo's messages with their methods, and simulate an account that is out of credits."""

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
from django_messente_dlr.exceptions import CreditsExhausted, MessageNotSent, OutcomeUnknown
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import (
    Sms,
    Viber,
    cancel,
    mark_sent,
    prepare_sms,
    send_message,
    send_sms,
    track_sms,
)
from shop.demo.messages import DemoMessage, SendMethod
from shop.models import Order

TEXT = "Your parcel is here."


def send(demo_message: DemoMessage) -> SmsMessage:
    """Send a message of the demo with its method, create its order, and return its row."""
    order = Order.objects.create(phone=demo_message.recipient)
    metadata, reference = {"order": order.pk}, f"order-{order.pk}"
    if demo_message.method is SendMethod.OMNICHANNEL:
        message = _send_by_omnichannel(demo_message, metadata)
    elif demo_message.method is SendMethod.TRACK:
        message = _send_and_track(demo_message, metadata)
    elif demo_message.method is SendMethod.CHANNELS:
        channels = [Viber(TEXT, sender="Shop"), Sms(TEXT, sender="Shop")]
        message = send_message(demo_message.recipient, channels, metadata=metadata, reference=reference)
    elif demo_message.method is SendMethod.CANCELLED:
        tomorrow = timezone.now() + timedelta(days=1)
        message = send_sms(demo_message.recipient, TEXT, send_at=tomorrow, metadata=metadata, reference=reference)
        cancel(message)
    else:
        try:
            message = send_sms(demo_message.recipient, TEXT, sender="Shop", metadata=metadata, reference=reference)
        except (MessageNotSent, OutcomeUnknown) as exc:
            if exc.sms_message is None:
                raise
            message = exc.sms_message
    if demo_message.method is SendMethod.AGED:
        past = timezone.now() - timedelta(hours=54)  # 48 hours after the 6 hours for which Messente tries
        SmsMessage.objects.filter(pk=message.pk).update(created_at=past, send_at=past, sent_at=past)
        PendingPoll.objects.filter(pk=message.pk).update(due_at=timezone.now())
    Order.objects.filter(pk=order.pk).update(message=message)
    return message


def run_out_of_credits(demo_message: DemoMessage, sandbox: Sandbox, *, until: float) -> SmsMessage:
    """Send a message without credit, check that the next one is refused, and then add credit.

    Args:
        demo_message: the message to send.
        sandbox: the local Messente, whose balance changes.
        until: when to give up waiting for the credit hold, in seconds of ``time.monotonic``.

    Raises:
        AssertionError: the account was not put on hold, or the next message was not refused.
    """
    sandbox.balance = Decimal(0)
    message = send(demo_message)
    if not wait_for(lambda: is_held(conf.DEFAULT_ACCOUNT), until=until):
        raise AssertionError("The account was not put on hold.")
    try:
        send_sms(demo_message.recipient, TEXT)
    except CreditsExhausted:
        sandbox.balance = Decimal(50)
        return message
    raise AssertionError("send_sms did not refuse a message of an account on hold.")


def wait_for(condition: Callable[[], bool], *, until: float) -> bool:
    """Wait until a condition is true; return False if it is still false at ``until`` (``time.monotonic``)."""
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _send_by_omnichannel(demo_message: DemoMessage, metadata: dict[str, int]) -> SmsMessage:
    message = prepare_sms(demo_message.recipient, sender="Shop", channel="viber", metadata=metadata)
    account = conf.account(conf.DEFAULT_ACCOUNT)
    response = requests.post(
        f"{conf.get_config().omnichannel_url}/omnimessage",
        auth=(account.username, account.password),
        json={
            "to": demo_message.recipient,
            "messages": [{"channel": "viber", "sender": "Shop", "text": TEXT}],
            "dlr_url": message.callback_url,
        },
        timeout=10,
    )
    response.raise_for_status()
    sent = response.json()
    return mark_sent(message, sent["messages"][0]["message_id"], omnimessage_id=sent["omnimessage_id"])


def _send_and_track(demo_message: DemoMessage, metadata: dict[str, int]) -> SmsMessage:
    sms_unique_id = client_for(conf.DEFAULT_ACCOUNT).send(demo_message.recipient, TEXT, dlr_url=callback_url())
    wait_for(
        lambda: DeliveryReport.objects.orphans().filter(sms_unique_id=sms_unique_id).exists(),
        until=time.monotonic() + 10,
    )
    return track_sms(sms_unique_id, recipient=demo_message.recipient, metadata=metadata)
