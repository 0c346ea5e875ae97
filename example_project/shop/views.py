"""The shop's page: the orders with the status of their SMS, and a form that sends one."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from django_messente_dlr.exceptions import CreditsExhausted, MessageNotSent, OutcomeUnknown
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import send_sms
from shop.models import Note, Order


class SmsForm(forms.Form):
    """The phone number of a customer, and the text to send."""

    phone = forms.CharField(max_length=32, initial="+37255500000", label="Phone number")
    text = forms.CharField(max_length=160, initial="Your parcel is here.", label="Text")


@login_not_required
@require_http_methods(["GET", "POST"])
def orders(request: HttpRequest) -> HttpResponse:
    """Show the orders; on POST, create one and send an SMS about it."""
    form = SmsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        create_order(request, form.cleaned_data["phone"], form.cleaned_data["text"])
        return redirect("orders")
    latest = Order.objects.select_related("message").prefetch_related("notes").order_by("-pk")[:100]
    notes = Note.objects.select_related("order").order_by("-pk")[:20]
    return render(request, "shop/orders.html", {"orders": latest, "notes": notes, "form": form})


def create_order(request: HttpRequest, phone: str, text: str) -> None:
    """Create an order, send an SMS about it, and show the result as a Django message."""
    order = Order.objects.create(phone=phone)
    message: SmsMessage | None = None
    try:
        reference = f"order-{order.pk}"
        message = send_sms(phone, text, sender="Shop", metadata={"order": order.pk}, reference=reference)
    except ValueError as exc:
        order.delete()
        messages.error(request, str(exc))
        return
    except CreditsExhausted as exc:
        Order.objects.filter(pk=order.pk).update(state=Order.State.CALL)
        messages.error(request, str(exc))
    except OutcomeUnknown as exc:
        message = exc.sms_message
        messages.warning(request, f"{exc} Wait for a delivery report.")
    except MessageNotSent as exc:
        message = exc.sms_message
        messages.error(request, f"It was not sent. {exc}{' Try again later.' if exc.temporary else ''}")
    else:
        messages.success(request, f"Messente accepted the SMS as {message}.")
    Order.objects.filter(pk=order.pk).update(message=message)
