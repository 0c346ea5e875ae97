"""An order, and notes of what the signals said about it."""

from __future__ import annotations

from django.db import models

from django_messente_dlr.models import SmsMessage


class Order(models.Model):
    """Somebody waits for a parcel, and is told by SMS."""

    class State(models.TextChoices):
        """What the shop knows of its customer."""

        TELLING = "telling", "SMS is under way"
        INFORMED = "informed", "Customer informed"
        CALL = "call", "Call the customer"

    phone = models.CharField(max_length=32)
    state = models.CharField(max_length=10, choices=State.choices, default=State.TELLING)
    message = models.OneToOneField(SmsMessage, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Order {self.pk}"


class Note(models.Model):
    """One signal, and what the shop did when it heard it."""

    signal = models.CharField(max_length=40)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, null=True, blank=True, related_name="notes")
    sentence = models.CharField(max_length=250)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.signal}: {self.sentence}"
