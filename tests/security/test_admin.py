"""Every page and every action of the admin that changes something, found and not listed: by POST, with a CSRF token,
logged in, and with the permission that it asks for.

What the admin has is asked of the admin itself, so that a page or an action that comes later is tried too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from django_messente_dlr.messente.errors import ConnectionFailed
from django_messente_dlr.messente.transport import Transport
from django_messente_dlr.models import PendingPoll
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)

OURS = apps.get_app_config("django_messente_dlr")
# The poller's list: what it says is shown with the messages.
NOT_SHOWN = {PendingPoll}
SHOWN = [model for model in OURS.get_models() if model not in NOT_SHOWN]
# What each of them asks for beside «view». The overview's button is a POST to its page.
NEEDED = {
    ("smsmessage", "poll_now"): "change_smsmessage",
    ("smsmessage", "resend"): "resend_smsmessage",
    ("smsmessage", "export"): "export_smsmessage",
    ("deliveryreport", "send_signals_again"): "change_deliveryreport",
    ("account", "lift_credit_hold"): "change_account",
    ("messagestatistics", ""): "view_messagestatistics",
}
EVERY_ACT = sorted(NEEDED)
each_act = pytest.mark.parametrize(("model", "action"), EVERY_ACT)


class Witness(NamedTuple):
    """What would show that something was done."""

    rows: dict[str, Model]
    calls: list[str]
    signals: SignalLog

    def look(self) -> Any:
        """Return all rows of ours, and how often Messente was called and a signal sent."""
        tables = [list(model._default_manager.order_by("pk").values()) for model in OURS.get_models()]
        return tables, len(self.calls), len(self.signals)

    def saw(self, ask: Callable[..., Any], url: str, form: dict[str, Any]) -> bool:
        """Tell whether a request does something, or takes the list away."""
        before = self.look()
        response = ask(url, form)
        return self.look() != before or "Content-Disposition" in response


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog) -> Witness:
    calls: list[str] = []

    def send_request(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        calls.append(url)
        raise ConnectionFailed("Nobody is there.")

    monkeypatch.setattr(Transport, "send_request", send_request)
    failed = SmsMessageFactory.create(status=Status.FAILED, text="Your parcel is here")
    SmsMessageFactory.create()
    rows: dict[str, Model] = {
        "smsmessage": failed,
        "deliveryreport": DeliveryReportFactory.create(message=failed),
        "account": AccountFactory.create(name="marketing", held=True),
    }
    return Witness(rows, calls, dlr_signals)


def client_of(*codenames: str, strict: bool = False, superuser: bool = False) -> Client:
    user = User.objects.create_user(f"staff {User.objects.count()}", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(enforce_csrf_checks=strict)
    client.force_login(user)
    return client


def form_of(model: str, action: str) -> tuple[str, dict[str, Any]]:
    """Return where a person does something, and what the browser then sends: all rows are chosen."""
    url = reverse(f"admin:django_messente_dlr_{model}_changelist")
    if not action:
        return url, {}
    chosen = [str(row.pk) for row in OURS.get_model(model)._default_manager.all()]
    return url, {"action": action, "_selected_action": chosen, "index": "0", "confirmed": "yes"}


def pages(witness: Witness) -> Iterator[str]:
    """Every address that our part of the admin has."""
    for model in SHOWN:
        for pattern in admin.site._registry[model].get_urls():
            if pattern.name is None:  # the old address of a page, which leads to the new one
                continue
            row = witness.rows.get(model.__name__.lower())
            for arguments in ([], [row.pk] if row else [1]):
                try:
                    yield reverse(f"admin:{pattern.name}", args=arguments)
                except NoReverseMatch:
                    continue


def test_every_model_is_in_the_admin_and_every_action_of_theirs_is_tried_here(admin_user: User) -> None:
    request = RequestFactory().get("/")
    request.user = admin_user
    found = {
        (model.__name__.lower(), action)
        for model in SHOWN
        for action in admin.site._registry[model].get_actions(request)
    }
    assert NOT_SHOWN.isdisjoint(admin.site._registry)
    assert found == {(model, action) for model, action in NEEDED if action}


def test_there_are_pages_to_try(witness: Witness) -> None:
    found = list(pages(witness))
    assert len(found) == len(set(found)) >= 3 * 5 + 1


@each_act
def test_it_is_done_by_post_for_those_who_may_and_for_nobody_else(witness: Witness, model: str, action: str) -> None:
    url, form = form_of(model, action)
    everything = set(Permission.objects.filter(content_type__app_label=OURS.label).values_list("codename", flat=True))
    view, needed = f"view_{model}", NEEDED[model, action]
    # To Django, who may change may view.
    lacking = everything - {needed} - ({f"change_{model}"} if needed == view else set())
    for codenames in (lacking, {view} - {needed}, set[str]()):
        assert not witness.saw(client_of(*codenames).post, url, form), codenames
    assert not witness.saw(Client().post, url, form)
    assert witness.saw(client_of(view, needed).post, url, form)


@each_act
@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_it_is_not_done_by_a_link(witness: Witness, model: str, action: str, method: str) -> None:
    url, form = form_of(model, action)
    client = client_of(superuser=True)
    assert not witness.saw(getattr(client, method), url, form)


@each_act
def test_it_is_not_done_without_a_csrf_token(witness: Witness, model: str, action: str) -> None:
    url, form = form_of(model, action)
    client = client_of(superuser=True, strict=True)
    client.get(url)
    assert not witness.saw(client.post, url, form)
    assert client.post(url, form).status_code == 403
    token = client.cookies["csrftoken"].value
    assert witness.saw(client.post, url, {**form, "csrfmiddlewaretoken": token})


def test_no_page_shows_or_does_anything_to_whom_it_does_not_know(witness: Witness, settings: Any) -> None:
    # That would send them away before the admin can.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "LoginRequired" not in name]
    for url in pages(witness):
        for ask in (Client().get, Client().post):
            response = ask(url)
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")


def test_no_page_is_for_staff_without_a_permission(witness: Witness) -> None:
    client = client_of()
    for url in pages(witness):
        assert client.get(url).status_code == 403
        assert not witness.saw(client.post, url, {"post": "yes"})


def test_no_page_does_anything_by_get_or_without_a_csrf_token(witness: Witness) -> None:
    client = client_of(superuser=True, strict=True)
    for url in pages(witness):
        assert not witness.saw(client.get, url, {"action": "x", "post": "yes", "_save": "1"})
        assert not witness.saw(client.post, url, {"post": "yes", "_save": "1"})
        assert client.post(url).status_code == 403
