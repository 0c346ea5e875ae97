"""URLs of a project that has forgotten those of the app."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
