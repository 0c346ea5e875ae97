"""The shop's receivers of the app's signals: each one writes a note, and some change the order's state.

After a crash, a receiver may be called again for the same report. Setting a state twice has no effect, and a second
note is harmless.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from django_messente_dlr import signals
from django_messente_dlr.models import DeliveryReport, SmsMessage
from shop.models import Note, Order


def add_note(signal: str, message: SmsMessage | None, text: str, state: str = "") -> None:
    """Add a note about a signal, and set the state of the message's order if there is an order."""
    order = Order.objects.filter(pk=message.metadata.get("order")).first() if message else None
    if order and state:
        Order.objects.filter(pk=order.pk).update(state=state)
    Note.objects.create(signal=signal, order=order, text=text[:250])


@receiver(signals.dlr_received)
def on_received(message: SmsMessage | None, report: DeliveryReport, **kwargs: Any) -> None:
    subject = message or f"an unknown message ({report.sms_unique_id})"
    add_note(
        "dlr_received", message, f"{report.get_source_display()}: {report.stat or 'no status code'} for {subject}."
    )


@receiver(signals.dlr_status_changed)
def on_status_changed(message: SmsMessage, previous: str, **kwargs: Any) -> None:
    add_note("dlr_status_changed", message, f"From {previous} to {message.status}.")


@receiver(signals.dlr_delivered)
def on_delivered(message: SmsMessage, **kwargs: Any) -> None:
    add_note("dlr_delivered", message, "The SMS reached the customer.", Order.State.INFORMED)


@receiver(signals.dlr_seen)
def on_seen(message: SmsMessage, **kwargs: Any) -> None:
    add_note("dlr_seen", message, "The customer has read the SMS.", Order.State.INFORMED)


@receiver(signals.dlr_failed)
def on_failed(message: SmsMessage, *, temporary: bool, **kwargs: Any) -> None:
    cause = message.cause
    text = f"{cause.meaning}. {cause.advice}" if cause else message.error_description or "Messente reports no cause."
    text += " A production shop would resend the message." if temporary else ""
    add_note("dlr_failed", message, text, "" if temporary else Order.State.CALL)


@receiver(signals.dlr_channel_failed)
def on_channel_failed(message: SmsMessage, channel: str, **kwargs: Any) -> None:
    add_note("dlr_channel_failed", message, f"The channel {channel} failed. Messente tries the next one.")


@receiver(signals.dlr_cancelled)
def on_cancelled(message: SmsMessage, **kwargs: Any) -> None:
    add_note("dlr_cancelled", message, "The SMS was cancelled before it was sent.")


@receiver(signals.dlr_unresolved)
def on_unresolved(message: SmsMessage, **kwargs: Any) -> None:
    add_note("dlr_unresolved", message, "The final status is unknown. Call the customer.", Order.State.CALL)


@receiver(signals.temporary_failure)
def on_temporary_failure(message: SmsMessage, **kwargs: Any) -> None:
    add_note("temporary_failure", message, "A production shop would send the message again later.")


@receiver(signals.identical_messages_blocked)
def on_identical_messages(message: SmsMessage, **kwargs: Any) -> None:
    add_note("identical_messages_blocked", message, "Send this customer no further SMS for an hour.")


@receiver(signals.sender_not_allowed)
def on_sender_not_allowed(message: SmsMessage, **kwargs: Any) -> None:
    add_note("sender_not_allowed", message, f'The sender "{message.sender}" must be verified.')


@receiver(signals.credits_exhausted)
def on_credits_exhausted(account: str, message: SmsMessage, **kwargs: Any) -> None:
    add_note("credits_exhausted", message, f"Alert: the account {account} is out of credits.")


@receiver(signals.credits_restored)
def on_credits_restored(account: str, message: SmsMessage | None, **kwargs: Any) -> None:
    add_note("credits_restored", message, f"The account {account} has credit again.")
