"""A way in for every handler."""

from __future__ import annotations

from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.urls import include, path

from benchmarks.receive.byhand import views

urlpatterns = [
    path("messente/", include("django_messente_dlr.urls")),
    path("a/", views.nothing),
    path("c/", views.raw),
    path("c2/", views.one_statement),
    path("d/", views.get_and_save),
    path("e/", PostmarkTrackingWebhookView.as_view()),
    path("f/", views.WithSerializer.as_view()),
    path("g/", views.by_orm),
]
