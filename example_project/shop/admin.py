"""The admin of orders and notes."""

from __future__ import annotations

from django.contrib import admin

from shop.models import Note, Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # only the stubs of ModelAdmin are generic
    list_display = ["pk", "phone", "state", "message", "created_at"]
    list_filter = ["state"]
    list_select_related = ["message"]


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["created_at", "signal", "order", "text"]
    list_filter = ["signal"]
