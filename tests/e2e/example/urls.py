"""The URLs of the shop's tests: the shop, the admin and the callback view."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("shop.urls")),
    path("admin/", admin.site.urls),
    path("messente/", include("django_messente_dlr.urls")),
]
