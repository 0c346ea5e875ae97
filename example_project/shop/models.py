"""The shop's orders, and its notes about the signals of each order."""

from __future__ import annotations

from django.db import models

from django_messente_dlr.models import SmsMessage


class Order(models.Model):
    """An order whose customer is informed by SMS."""

    class State(models.TextChoices):
        """Whether the customer is informed."""

        INFORMING = "informing", "SMS is on its way"
        INFORMED = "informed", "Customer informed"
        CALL = "call", "Call the customer"

    phone = models.CharField(max_length=32)
    state = models.CharField(max_length=10, choices=State.choices, default=State.INFORMING)
    message = models.OneToOneField(SmsMessage, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Order {self.pk}"


class Note(models.Model):
    """A signal that the shop received, and its consequence."""

    signal = models.CharField(max_length=40)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, null=True, blank=True, related_name="notes")
    text = models.CharField(max_length=250)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.signal}: {self.text}"
