"""What the shop does when it hears what became of an SMS.

A receiver may be called again for the same report after a crash: setting a state twice does no harm, and a note
more is only a note more.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from django_messente_dlr import signals
from django_messente_dlr.models import DeliveryReport, SmsMessage
from shop.models import Note, Order


def note(signal: str, message: SmsMessage | None, sentence: str, state: str = "") -> None:
    """Write down what was heard, and bring the order into a new state."""
    order = Order.objects.filter(pk=message.metadata.get("order")).first() if message else None
    if order and state:
        Order.objects.filter(pk=order.pk).update(state=state)
    Note.objects.create(signal=signal, order=order, sentence=sentence[:250])


@receiver(signals.dlr_received)
def on_received(message: SmsMessage | None, report: DeliveryReport, **kwargs: Any) -> None:
    about = message or f"a message that is not known yet ({report.sms_unique_id})"
    note("dlr_received", message, f"{report.get_source_display()}: {report.stat or 'an end'} about {about}.")


@receiver(signals.dlr_status_changed)
def on_status_changed(message: SmsMessage, previous: str, **kwargs: Any) -> None:
    note("dlr_status_changed", message, f"From {previous} to {message.status}.")


@receiver(signals.dlr_delivered)
def on_delivered(message: SmsMessage, **kwargs: Any) -> None:
    note("dlr_delivered", message, "The customer has been told.", Order.State.INFORMED)


@receiver(signals.dlr_seen)
def on_seen(message: SmsMessage, **kwargs: Any) -> None:
    note("dlr_seen", message, "The customer has even read it.", Order.State.INFORMED)


@receiver(signals.dlr_failed)
def on_failed(message: SmsMessage, *, temporary: bool, **kwargs: Any) -> None:
    cause = message.cause
    told = f"{cause.meaning}. {cause.advice}" if cause else message.error_text or "Messente gives no cause."
    sentence = f"{told} Would be sent again." if temporary else f"{told}"
    note("dlr_failed", message, sentence, "" if temporary else Order.State.CALL)


@receiver(signals.dlr_unresolved)
def on_unresolved(message: SmsMessage, **kwargs: Any) -> None:
    note("dlr_unresolved", message, "Nobody knows; the customer will be called.", Order.State.CALL)


@receiver(signals.temporary_failure)
def on_temporary_failure(message: SmsMessage, **kwargs: Any) -> None:
    note("temporary_failure", message, "Put into the queue to be sent again.")


@receiver(signals.identical_messages_blocked)
def on_identical_messages(message: SmsMessage, **kwargs: Any) -> None:
    note("identical_messages_blocked", message, "This customer gets no further SMS for an hour.")


@receiver(signals.sender_not_allowed)
def on_sender_not_allowed(message: SmsMessage, **kwargs: Any) -> None:
    note("sender_not_allowed", message, f"The sender «{message.sender}» has to be verified.")


@receiver(signals.credits_exhausted)
def on_credits_exhausted(account: str, message: SmsMessage, **kwargs: Any) -> None:
    note("credits_exhausted", message, f"ALARM: the account {account} is out of credits.")


@receiver(signals.credits_restored)
def on_credits_restored(account: str, message: SmsMessage | None, **kwargs: Any) -> None:
    note("credits_restored", message, f"The account {account} has credit again.")
