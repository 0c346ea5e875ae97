"""Orders and notes in the admin."""

from __future__ import annotations

from django.contrib import admin

from shop.models import Note, Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django subscripts it only in its stubs
    list_display = ["pk", "phone", "state", "message", "created_at"]
    list_filter = ["state"]
    list_select_related = ["message"]


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["created_at", "signal", "order", "sentence"]
    list_filter = ["signal"]
