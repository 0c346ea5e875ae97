"""Whatever fails, no password, token or signature is told: not in a log, an exception, a row, a page or an output.

Everything is logged at its lowest level, urllib3's and the database's lines too. What fails here is complete: each
place that logs, and each that raises in speaking with Messente, has to have been reached.
"""

from __future__ import annotations

import ast
import logging
import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client, RequestFactory
from django.utils.html import escape
from django.views.debug import ExceptionReporter

import django_messente_dlr
from django_messente_dlr import callbacks
from django_messente_dlr.messente.signatures import HEADER, sign
from django_messente_dlr.models import SmsMessage
from tests.security.failing import IN_URL, NOBODY, OLD_PASSWORD, OTHER_PASSWORD, PASSWORD, PATHS, USERNAME, World
from tests.security.wsgi import logged
from tests.unit.messente.test_secrets import chain

pytestmark = pytest.mark.django_db(transaction=True)
PACKAGE = Path(django_messente_dlr.__file__).parent
Place = tuple[str, int]


@pytest.fixture
def world(admin_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "ACCOUNTS": {
            "default": {"USERNAME": USERNAME, "PASSWORD": PASSWORD, "PREVIOUS_PASSWORDS": [OLD_PASSWORD]},
            "marketing": {"USERNAME": "news", "PASSWORD": OTHER_PASSWORD},
        },
        "CALLBACK_BASE_URL": NOBODY,
    }
    return World(admin_client)


def spellings(password: str) -> set[str]:
    """Return how a password may be written."""
    plain = {password, quote(password), quote(password, safe=""), quote_plus(password), escape(password)}
    raw = {repr(password)[1:-1], repr(password.encode())[2:-1], password.encode().decode("latin-1")}
    return plain | raw | {b64encode(f"{user}:{password}".encode()).decode() for user in (USERNAME, "news")}


def secrets_of(world: World) -> set[str]:
    """Return all that must not be told."""
    urls = [callbacks.callback_url(name) for name in ("default", "marketing")]
    urls += [message.callback_url for message in SmsMessage.objects.all()]
    tokens = {urlsplit(url).path.strip("/").rpartition(".")[2] for url in urls}
    found = tokens.union([IN_URL], world.signatures, *map(spellings, (PASSWORD, OLD_PASSWORD, OTHER_PASSWORD)))
    assert all(len(secret) > 10 for secret in found)
    return found


def texts_of(records: Iterable[logging.LogRecord]) -> Iterator[str]:
    for record in records:
        yield f"{record.getMessage()} {record.msg!r} {record.args!r} {record.exc_text or ''} {record.name}"


def texts_in(exc: BaseException) -> Iterator[str]:
    for link in chain(exc):
        yield f"{link} {link!r} {link.args!r} {vars(link)!r} {getattr(link, '__notes__', '')}"
        request = getattr(link, "request", None)
        yield f"{getattr(request, 'url', '')} {getattr(request, 'body', '')}"
    yield "".join(traceback.format_exception(exc))


def rows() -> Iterator[str]:
    """Every column of every table, Django's own for what was done in the admin among them."""
    for label in ("django_messente_dlr", "admin", "sessions"):
        for model in apps.get_app_config(label).get_models():
            yield from (str(row) for row in model._default_manager.values())


def places_reached(records: Iterable[logging.LogRecord], raised: Iterable[BaseException]) -> set[Place]:
    found = {(record.pathname, record.lineno) for record in records}
    for exc in raised:
        for link in chain(exc):
            found |= {(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(link.__traceback__)}
    return found


def calls_of_loggers() -> Iterator[tuple[Path, ast.AST]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                yield path, node


def raises_over_messente() -> Iterator[tuple[Path, ast.AST]]:
    for name in ("client", "transport", "http_errors"):
        path = PACKAGE / "messente" / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                yield path, node


def not_reached(nodes: Iterable[tuple[Path, Any]], reached: set[Place]) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}"
        for path, node in nodes
        if not any((str(path), line) in reached for line in range(node.lineno, node.end_lineno + 1))
    ]


def test_whatever_fails_no_secret_is_told(world: World) -> None:
    told: dict[str, list[str]] = {}
    everything: list[logging.LogRecord] = []
    connection.force_debug_cursor = True
    try:
        for name, drive in PATHS.items():
            world.told.clear()
            with logged() as records:
                before = len(world.raised)
                drive(world)
            everything += records
            told[name] = [*world.told, *texts_of(records), *rows()]
            told[name] += [text for exc in world.raised[before:] for text in texts_in(exc)]
    finally:
        connection.force_debug_cursor = False
    loggers = {record.name for record in everything}
    assert {"urllib3.connectionpool", "django.db.backends", "django.security.DisallowedHost"} <= loggers
    secrets = secrets_of(world)
    leaks = {
        name: {
            text[max(text.index(secret) - 150, 0) :][:300] for text in texts for secret in secrets if secret in text
        }
        for name, texts in told.items()
    }
    assert not {name: sorted(found)[:5] for name, found in leaks.items() if found}
    reached = places_reached(everything, world.raised)
    assert not_reached(calls_of_loggers(), reached) == []
    assert not_reached(raises_over_messente(), reached) == []


def test_djangos_page_for_a_defect_shows_no_password_and_no_signature(world: World, settings: Any) -> None:
    """The page that DEBUG shows, and that is mailed to ADMINS: with all settings, and the headers of the request."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a-key-of-the-callback-urls"]}
    signature = sign(b"{}", PASSWORD)
    request = RequestFactory().post("/", b"{}", content_type="application/json", headers={HEADER: signature})
    reporter = ExceptionReporter(request, KeyError, KeyError("a defect"), None)
    secrets = {signature, "a-key-of-the-callback-urls"}.union(
        *map(spellings, (PASSWORD, OLD_PASSWORD, OTHER_PASSWORD))
    )
    for page in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "MESSENTE_DLR" in page
        assert USERNAME in page
        assert not [secret for secret in secrets if secret in page]
