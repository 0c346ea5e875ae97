"""The API as a project includes it."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("api/messente/", include("django_messente_dlr.api.urls"))]
