"""Every admin page and action that changes data needs POST, a CSRF token, a login and its permission.

The tests read the pages and actions from the admin site, so that they also cover those that are added later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from django_messente_dlr.messente.errors import ConnectionFailed
from django_messente_dlr.messente.transport import Transport
from django_messente_dlr.models import PendingPoll, QueuedMessage, ResendContent
from django_messente_dlr.models.accounts import TrackingLock
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)

APP = apps.get_app_config("django_messente_dlr")
# The admin shows the pending polls and the queue with the messages, and no kept contents. The locks have no data.
UNREGISTERED = {PendingPoll, QueuedMessage, ResendContent, TrackingLock}
REGISTERED = [model for model in APP.get_models() if model not in UNREGISTERED]
# The permission that each action needs in addition to "view". The button of the statistics page posts to the page.
REQUIRED_PERMISSIONS = {
    ("smsmessage", "poll_now"): "change_smsmessage",
    ("smsmessage", "resend"): "resend_smsmessage",
    ("smsmessage", "cancel"): "cancel_smsmessage",
    ("smsmessage", "export"): "export_smsmessage",
    ("smsmessage", "erase"): "erase_recipient",
    ("deliveryreport", "send_signals_again"): "change_deliveryreport",
    ("account", "check_balance"): "change_account",
    ("account", "lift_credit_hold"): "change_account",
    ("messagestatistics", ""): "view_messagestatistics",
}
ALL_ACTIONS = sorted(REQUIRED_PERMISSIONS)
each_action = pytest.mark.parametrize(("model", "action"), ALL_ACTIONS)


class Witness(NamedTuple):
    """Detect the effects of a request: changed rows, calls of Messente and sent signals."""

    rows: dict[str, Model]
    calls: list[str]
    signals: SignalLog

    def snapshot(self) -> Any:
        """Return all rows of the app, the number of calls of Messente and the number of signals sent."""
        tables = [list(model._default_manager.order_by("pk").values()) for model in APP.get_models()]
        return tables, len(self.calls), len(self.signals)

    def has_effect(self, send: Callable[..., Any], url: str, form: dict[str, Any]) -> bool:
        """Send a request, and return whether it has an effect or downloads an export."""
        before = self.snapshot()
        response = send(url, form)
        return self.snapshot() != before or "Content-Disposition" in response


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog) -> Witness:
    calls: list[str] = []

    def send_request(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        calls.append(url)
        raise ConnectionFailed("Connection refused.")

    monkeypatch.setattr(Transport, "send_request", send_request)
    failed = SmsMessageFactory.create(status=Status.FAILED, text="Your parcel is here")
    SmsMessageFactory.create()
    SmsMessageFactory.create(sent_at=timezone.now() + timedelta(days=1))  # scheduled, so that it can be cancelled
    rows: dict[str, Model] = {
        "smsmessage": failed,
        "deliveryreport": DeliveryReportFactory.create(message=failed),
        "account": AccountFactory.create(name="marketing", held=True),
    }
    return Witness(rows, calls, dlr_signals)


def client_with_permissions(*codenames: str, strict: bool = False, superuser: bool = False) -> Client:
    user = User.objects.create_user(f"staff {User.objects.count()}", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(enforce_csrf_checks=strict)
    client.force_login(user)
    return client


def action_form(model: str, action: str) -> tuple[str, dict[str, Any]]:
    """Return the URL of an action, and the form that the browser sends for all rows."""
    url = reverse(f"admin:django_messente_dlr_{model}_changelist")
    if not action:
        return url, {}
    selected = [str(row.pk) for row in APP.get_model(model)._default_manager.all()]
    return url, {"action": action, "_selected_action": selected, "index": "0", "confirmed": "yes"}


def pages(witness: Witness) -> Iterator[str]:
    """Yield the URL of every admin page of the app."""
    for model in REGISTERED:
        for pattern in admin.site._registry[model].get_urls():
            if pattern.name is None:  # a former URL of a page, which redirects to the present one
                continue
            row = witness.rows.get(model.__name__.lower())
            for arguments in ([], [row.pk] if row else [1]):
                try:
                    yield reverse(f"admin:{pattern.name}", args=arguments)
                except NoReverseMatch:
                    continue


def test_admin__every_model_and_action_is_tested(admin_user: User) -> None:
    request = RequestFactory().get("/")
    request.user = admin_user
    actions = {
        (model.__name__.lower(), action)
        for model in REGISTERED
        for action in admin.site._registry[model].get_actions(request)
    }
    assert UNREGISTERED.isdisjoint(admin.site._registry)
    assert actions == {(model, action) for model, action in REQUIRED_PERMISSIONS if action}


def test_pages__unique_and_complete(witness: Witness) -> None:
    urls = list(pages(witness))
    assert len(urls) == len(set(urls)) >= 3 * 5 + 1


@each_action
def test_action__needs_its_permission(witness: Witness, model: str, action: str) -> None:
    url, form = action_form(model, action)
    all_permissions = set(
        Permission.objects.filter(content_type__app_label=APP.label).values_list("codename", flat=True)
    )
    view, required = f"view_{model}", REQUIRED_PERMISSIONS[model, action]
    # In Django, the change permission includes the view permission.
    others = all_permissions - {required} - ({f"change_{model}"} if required == view else set())
    for codenames in (others, {view} - {required}, set[str]()):
        assert not witness.has_effect(client_with_permissions(*codenames).post, url, form), codenames
    assert not witness.has_effect(Client().post, url, form)
    assert witness.has_effect(client_with_permissions(view, required).post, url, form)


@each_action
@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_action__needs_post(witness: Witness, model: str, action: str, method: str) -> None:
    url, form = action_form(model, action)
    client = client_with_permissions(superuser=True)
    assert not witness.has_effect(getattr(client, method), url, form)


@each_action
def test_action__needs_csrf_token(witness: Witness, model: str, action: str) -> None:
    url, form = action_form(model, action)
    client = client_with_permissions(superuser=True, strict=True)
    client.get(url)
    assert not witness.has_effect(client.post, url, form)
    assert client.post(url, form).status_code == 403
    token = client.cookies["csrftoken"].value
    assert witness.has_effect(client.post, url, {**form, "csrfmiddlewaretoken": token})


def test_pages__need_a_login(witness: Witness, settings: Any) -> None:
    # LoginRequiredMiddleware would redirect before the admin does.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "LoginRequired" not in name]
    for url in pages(witness):
        for send in (Client().get, Client().post):
            response = send(url)
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")


def test_pages__staff_without_permission(witness: Witness) -> None:
    client = client_with_permissions()
    for url in pages(witness):
        assert client.get(url).status_code == 403
        assert not witness.has_effect(client.post, url, {"post": "yes"})


def test_pages__get_and_missing_csrf_token(witness: Witness) -> None:
    client = client_with_permissions(superuser=True, strict=True)
    for url in pages(witness):
        assert not witness.has_effect(client.get, url, {"action": "x", "post": "yes", "_save": "1"})
        assert not witness.has_effect(client.post, url, {"post": "yes", "_save": "1"})
        assert client.post(url).status_code == 403
