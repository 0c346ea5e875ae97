"""The URLs of the admin pages, and functions that request them and read the responses."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import models
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from django_messente_dlr.models import Account, DeliveryReport, SmsMessage

MODELS: list[type[models.Model]] = [SmsMessage, DeliveryReport, Account]


def log_in(*codenames: str, raise_request_exception: bool = True) -> Client:
    """Log in a new staff user with only the permissions of the given codenames."""
    user = User.objects.create_user(f"staff {User.objects.count()}", is_staff=True)
    permissions = Permission.objects.filter(codename__in=codenames)
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)
    client = Client(raise_request_exception=raise_request_exception)
    client.force_login(user)
    return client


def list_url(model: type[models.Model]) -> str:
    return reverse(f"admin:django_messente_dlr_{model.__name__.lower()}_changelist")


def add_url(model: type[models.Model]) -> str:
    return reverse(f"admin:django_messente_dlr_{model.__name__.lower()}_add")


def page_url(row: models.Model | None, view: str = "change") -> str:
    assert row is not None
    return reverse(f"admin:django_messente_dlr_{type(row).__name__.lower()}_{view}", args=[row.pk])


def listed(client: Client, model: type[models.Model], **query: str) -> list[Any]:
    """Return the rows that a list shows for a query string, in order."""
    response = client.get(list_url(model), query)
    assert response.status_code == 200, response
    return list(response.context["cl"].result_list)


def search(client: Client, model: type[models.Model], term: str) -> list[Any]:
    return listed(client, model, q=term)


def html(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response
    return str(response.content.decode())


def act(client: Client, action: str, *rows: models.Model, query: str = "", **data: str) -> HttpResponse:
    """Run an action on rows selected in their list. ``query`` is the query string of the list."""
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows], "index": "0", **data}
    return client.post(list_url(type(rows[0])) + query, form)  # type: ignore[return-value]


def admin_messages(response: HttpResponse) -> list[tuple[str, str]]:
    """Return the messages that the admin shows after an action, as pairs of level and text."""
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]  # type: ignore[attr-defined]
