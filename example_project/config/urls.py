"""The URLs of the project: the shop, the admin, the callback view and the REST API."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("shop.urls")),
    path("admin/", admin.site.urls),
    path("messente/", include("django_messente_dlr.urls")),
    path("api/messente/", include("django_messente_dlr.api.urls")),
]
