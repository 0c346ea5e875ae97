"""Requests to the admin and the REST API that try to find out the recipients and the texts of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse
from shop.models import Order

from django_messente_dlr.models import SmsMessage

API = "/api/messages/"
OURS = apps.get_app_config("django_messente_dlr")
LISTED: list[type[models.Model]] = [model for model in OURS.get_models() if model in admin.site._registry]
# The recipient and the text of two messages. In the second state, both are sorted in the reverse order.
Values = list[tuple[str, str]]
FIRST: Values = [("+37255511001", "A code: 1111"), ("+37255522002", "M code: 2222")]
SECOND: Values = [("+37255533001", "Z code: 9999"), ("+37255522002", "M code: 2222")]
FIRST_PARTS = ("+372555110", "A code")
MASKED = {
    *("recipient", "text", "error_text", "metadata", "reference", "channels", "options"),
    *("payload", "dispatch_error"),
}
FILTERS = {
    "smsmessage": {"status", "age", "cause", "account", "channel"},
    "deliveryreport": {"outcome", "signals"},
    "account": set[str](),
}
Send = Callable[[Client], Any]
Rows = dict[str, Sequence[models.Model]]


def list_url(model: str) -> str:
    return reverse(f"admin:{'shop' if model == 'order' else OURS.label}_{model}_changelist")


def get(url: str, **query: str) -> tuple[str, Send]:
    return f"{url} {query}", lambda client: client.get(url, query)


def parameters(model: type[models.Model], *, depth: int = 2, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return a name and a value for every lookup of every masked field and of the fields of related models.

    For other fields it is the field itself, which a list must refuse unless it has a filter of this name.
    """
    for field in model._meta.get_fields():
        if field.is_relation:
            related = field.related_model
            if depth > 1 and isinstance(related, type) and related._meta.app_label in {OURS.label, "shop"}:
                yield from parameters(related, depth=depth - 1, prefix=f"{prefix}{field.name}__")
            continue
        assert isinstance(field, models.Field)
        yield f"{prefix}{field.name}", "1"
        if field.name in MASKED:
            lookups = field.get_lookups() if not prefix else ("startswith", "regex")
            for lookup in lookups:
                yield (
                    f"{prefix}{field.name}__{lookup}",
                    "(" if "regex" in lookup else FIRST_PARTS[field.name == "text"],
                )
            yield f"{prefix}{field.name}__to__startswith", '"+372555110'


def filter_values(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    names = FILTERS.get(model.__name__.lower(), set())
    for name in sorted(names):
        for value in ("\0", "failed", "unknown", "overdue", "(", "+372555110", "week"):
            yield name, value


def orderings() -> Iterator[tuple[str, str]]:
    for value in (*map(str, range(1, 8)), "-1.2", "99", "recipient", "\0"):
        yield "o", value
    for value in ("recipient", "-text"):
        yield "ordering", value


def others() -> Iterator[tuple[str, str]]:
    for value in (*FIRST_PARTS, "A code: 1111", "order of +372555110", "recipient__startswith", "\0"):
        yield "q", value
    for name in ("p", "all", "_to_field", "_facets", "search", "cursor", "fields"):
        for value in ("recipient", "\0"):
            yield name, value


def admin_requests(queries: Iterable[tuple[str, str]], model: str) -> dict[str, Send]:
    return dict(get(list_url(model), **{name: value}) for name, value in queries)


def page_requests(rows: Rows) -> dict[str, Send]:
    """Return the pages of every row: itself, its history and its deletion. Add the overview."""
    requests = dict([get(list_url("messagestatistics"), window=window) for window in ("24h", "7d", "30d", "data")])
    for row in (row for listed in rows.values() for row in listed):
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        requests |= [get(reverse(f"{name}_{view}", args=[row.pk])) for view in ("change", "history", "delete")]
    for number, text in FIRST:
        for name, value in (("recipient", number), ("text", text)):
            requests |= [get(reverse(f"admin:{OURS.label}_smsmessage_change", args=[value]), _to_field=name)]
    for term in ("", "+372555110", "A code", "\0"):
        field = {"app_label": "shop", "model_name": "order", "field_name": "message"}
        requests |= [get(reverse("admin:autocomplete"), term=term, **field)]
    return requests


def export_requests(rows: Rows) -> dict[str, Send]:
    selected = [str(row.pk) for row in rows["smsmessage"]]
    requests: dict[str, Send] = {}
    for query in ("", "?recipient__startswith=%2B372555110", "?text__startswith=A", "?o=1", "?status=failed"):
        for across in ("0", "1"):
            form = {"action": "export", "_selected_action": selected, "index": "0", "select_across": across}
            url = list_url("smsmessage") + query
            requests[f"{url} {across}"] = lambda client, url=url, form=form: client.post(url, form)  # type: ignore[misc]
    return requests


def api_requests() -> dict[str, Send]:
    queries = {*parameters(SmsMessage), *orderings(), *others()}
    requests = dict(get(API, **{name: value}) for name, value in queries)
    names = ("status", "cause", "account", "channel", "recipient", "sms_unique_id", "created_after", "pending")
    for name in (*names, "reference", "resend_of"):
        requests |= [get(API, **{name: value}) for value in ("\0", "+372555110", "failed")]
    requests |= [get(f"{API}{message.pk}/") for message in SmsMessage.objects.all()]
    return requests


def all_requests(rows: Rows) -> dict[str, Send]:
    requests = page_requests(rows) | export_requests(rows) | api_requests()
    listed: list[type[models.Model]] = [*LISTED, Order]
    for model in listed:
        requests |= [get(list_url(model.__name__.lower()))]
        for queries in (parameters(model), filter_values(model), orderings(), others()):
            requests |= admin_requests(queries, model.__name__.lower())
    return requests
