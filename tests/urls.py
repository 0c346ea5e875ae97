"""URLs of the project in which the tests run."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("messente/", include("django_messente_dlr.urls")),
]
