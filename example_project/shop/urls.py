"""The shop has one page."""

from __future__ import annotations

from django.urls import path

from shop.views import orders

urlpatterns = [path("", orders, name="orders")]
