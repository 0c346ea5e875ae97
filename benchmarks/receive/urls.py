"""A URL for every handler."""

from __future__ import annotations

from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.urls import include, path

from benchmarks.receive.byhand import views

urlpatterns = [
    path("messente/", include("django_messente_dlr.urls")),
    path("a/", views.answer_only),
    path("c/", views.raw_sql),
    path("c2/", views.one_statement),
    path("d/", views.get_and_save),
    path("e/", PostmarkTrackingWebhookView.as_view()),
    path("f/", views.SerializerView.as_view()),
    path("g/", views.plain_orm),
]
