"""No failure leaks a password, a token or a signature into a log, an exception, a row, an admin page or an output.

The tests read the log records of every level, also those of urllib3 and of the database. The failures are complete:
each logger call of the package, and each ``raise`` in the code that calls Messente, must have been reached.
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
from tests.security.failing import (
    FAILURES,
    IN_URL,
    OLD_PASSWORD,
    OTHER_PASSWORD,
    PASSWORD,
    UNREACHABLE_HOST,
    USERNAME,
    FailureRun,
)
from tests.security.wsgi import capture_logs
from tests.unit.messente.test_secrets import chain

pytestmark = pytest.mark.django_db(transaction=True)
PACKAGE = Path(django_messente_dlr.__file__).parent
Location = tuple[str, int]  # file and line


@pytest.fixture
def run(admin_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> FailureRun:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "ACCOUNTS": {
            "default": {"USERNAME": USERNAME, "PASSWORD": PASSWORD, "PREVIOUS_PASSWORDS": [OLD_PASSWORD]},
            "marketing": {"USERNAME": "news", "PASSWORD": OTHER_PASSWORD},
        },
        "CALLBACK_BASE_URL": UNREACHABLE_HOST,
    }
    return FailureRun(admin_client)


def encodings(password: str) -> set[str]:
    """Return every encoding of a password that could appear in a text."""
    plain = {password, quote(password), quote(password, safe=""), quote_plus(password), escape(password)}
    raw = {repr(password)[1:-1], repr(password.encode())[2:-1], password.encode().decode("latin-1")}
    return plain | raw | {b64encode(f"{user}:{password}".encode()).decode() for user in (USERNAME, "news")}


def secrets_of(run: FailureRun) -> set[str]:
    """Return the texts that must not appear anywhere."""
    urls = [callbacks.callback_url(name) for name in ("default", "marketing")]
    urls += [message.callback_url for message in SmsMessage.objects.all()]
    tokens = {urlsplit(url).path.strip("/").rpartition(".")[2] for url in urls}
    secrets = tokens.union([IN_URL], run.signatures, *map(encodings, (PASSWORD, OLD_PASSWORD, OTHER_PASSWORD)))
    assert all(len(secret) > 10 for secret in secrets)
    return secrets


def record_texts(records: Iterable[logging.LogRecord]) -> Iterator[str]:
    for record in records:
        yield f"{record.getMessage()} {record.msg!r} {record.args!r} {record.exc_text or ''} {record.name}"


def exception_texts(exc: BaseException) -> Iterator[str]:
    for link in chain(exc):
        yield f"{link} {link!r} {link.args!r} {vars(link)!r} {getattr(link, '__notes__', '')}"
        request = getattr(link, "request", None)
        yield f"{getattr(request, 'url', '')} {getattr(request, 'body', '')}"
    yield "".join(traceback.format_exception(exc))


def row_texts() -> Iterator[str]:
    """Yield each row of the package's tables, and of the tables of admin log entries and sessions."""
    for label in ("django_messente_dlr", "admin", "sessions"):
        for model in apps.get_app_config(label).get_models():
            yield from (str(row) for row in model._default_manager.values())


def reached_locations(records: Iterable[logging.LogRecord], exceptions: Iterable[BaseException]) -> set[Location]:
    locations = {(record.pathname, record.lineno) for record in records}
    for exc in exceptions:
        for link in chain(exc):
            locations |= {(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(link.__traceback__)}
    return locations


def logger_calls() -> Iterator[tuple[Path, ast.AST]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                yield path, node


def messente_raises() -> Iterator[tuple[Path, ast.AST]]:
    for name in ("client", "transport", "http_errors"):
        path = PACKAGE / "messente" / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                yield path, node


def unreached(nodes: Iterable[tuple[Path, Any]], reached: set[Location]) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}"
        for path, node in nodes
        if not any((str(path), line) in reached for line in range(node.lineno, node.end_lineno + 1))
    ]


def test_failures__leak_no_secret(run: FailureRun) -> None:
    texts: dict[str, list[str]] = {}
    all_records: list[logging.LogRecord] = []
    connection.force_debug_cursor = True
    try:
        for name, cause_failure in FAILURES.items():
            run.texts.clear()
            with capture_logs() as records:
                before = len(run.exceptions)
                cause_failure(run)
            all_records += records
            texts[name] = [*run.texts, *record_texts(records), *row_texts()]
            texts[name] += [text for exc in run.exceptions[before:] for text in exception_texts(exc)]
    finally:
        connection.force_debug_cursor = False
    loggers = {record.name for record in all_records}
    assert {"urllib3.connectionpool", "django.db.backends", "django.security.DisallowedHost"} <= loggers
    secrets = secrets_of(run)
    leaks = {
        name: {
            text[max(text.index(secret) - 150, 0) :][:300]
            for text in name_texts
            for secret in secrets
            if secret in text
        }
        for name, name_texts in texts.items()
    }
    assert not {name: sorted(excerpts)[:5] for name, excerpts in leaks.items() if excerpts}
    reached = reached_locations(all_records, run.exceptions)
    assert unreached(logger_calls(), reached) == []
    assert unreached(messente_raises(), reached) == []


def test_django_error_page__hides_secrets(run: FailureRun, settings: Any) -> None:
    """Django shows this page with DEBUG and mails it to ADMINS. It lists all settings and the request headers."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["a-key-of-callback-urls"]}
    signature = sign(b"{}", PASSWORD)
    request = RequestFactory().post("/", b"{}", content_type="application/json", headers={HEADER: signature})
    reporter = ExceptionReporter(request, KeyError, KeyError("a defect"), None)
    secrets = {signature, "a-key-of-callback-urls"}.union(*map(encodings, (PASSWORD, OLD_PASSWORD, OTHER_PASSWORD)))
    for page in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "MESSENTE_DLR" in page
        assert USERNAME in page
        assert not [secret for secret in secrets if secret in page]
