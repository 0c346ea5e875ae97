"""The callback view, and a view for each way to send."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from django_messente_dlr.sending import queue_sms, send_sms

NUMBER, TEXT = "+37255500000", "Your parcel is here"


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("OK")


def queue(request: HttpRequest) -> HttpResponse:
    queue_sms(NUMBER, TEXT, sender="Shop")
    return HttpResponse("OK")


@transaction.non_atomic_requests
def send(request: HttpRequest) -> HttpResponse:
    send_sms(NUMBER, TEXT, sender="Shop")
    return HttpResponse("OK")


def post_office(request: HttpRequest) -> HttpResponse:
    from post_office import mail

    mail.send("anna@example.com", "shop@example.com", subject="Parcel", message=TEXT)
    return HttpResponse("OK")


urlpatterns = [
    path("messente/", include("django_messente_dlr.urls")),
    path("nothing/", nothing),
    path("queue/", queue),
    path("send/", send),
    path("post-office/", post_office),
]
