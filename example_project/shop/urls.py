"""The URL of the shop's page."""

from __future__ import annotations

from django.urls import path

from shop.views import orders

urlpatterns = [path("", orders, name="orders")]
