"""URLs of a project that also includes the REST API."""

from __future__ import annotations

from django.urls import include, path

from tests import urls

urlpatterns = [*urls.urlpatterns, path("api/", include("django_messente_dlr.api.urls"))]
