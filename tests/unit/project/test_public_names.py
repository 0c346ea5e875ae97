"""The public surface: modules, names, commands, settings and extras that a project may use. All others are private.

A name is public when the documentation names it. Remove or rename none of these without an entry in CHANGELOG.rst.
"""

from __future__ import annotations

import ast
import importlib
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.core.management import get_commands

from django_messente_dlr import conf
from tests.processes import ROOT

PACKAGE = "django_messente_dlr"
PUBLIC_NAMES: dict[str, list[str]] = {
    "django_messente_dlr": ["__version__"],
    "django_messente_dlr.contrib.celery": [
        "dispatch",
        "poll",
        "prune",
        "push_dispatch",
        "push_queue",
        "send_queued",
        "sweep",
    ],
    "django_messente_dlr.contrib.tasks": [
        "dispatch",
        "poll",
        "prune",
        "push_dispatch",
        "push_queue",
        "send_queued",
        "sweep",
    ],
    "django_messente_dlr.exceptions": [
        "CancelRefused",
        "ConnectionFailed",
        "CredentialsRefused",
        "CreditsExhausted",
        "HostUnavailable",
        "IpAddressRefused",
        "MalformedReport",
        "MessageNotSent",
        "MessenteError",
        "NoResponse",
        "OutcomeUnknown",
        "QueueItemInvalid",
        "RateLimited",
        "RecipientNotAllowed",
        "RequestRefused",
        "SendInsideTransaction",
        "ServerFailure",
        "UnknownMessage",
        "UnreadableResponse",
    ],
    "django_messente_dlr.models": [
        "Account",
        "DeliveryReport",
        "MessageStatistics",
        "PendingPoll",
        "QueuePriority",
        "QueuedMessage",
        "ReportOutcome",
        "ResendContent",
        "SmsMessage",
    ],
    "django_messente_dlr.models.statuses": ["Status"],
    "django_messente_dlr.sandbox": ["CallbackAttempt", "Sandbox", "SandboxMessage"],
    "django_messente_dlr.sending": [
        "MessageParts",
        "Rcs",
        "Sms",
        "Viber",
        "WhatsApp",
        "aqueue_message",
        "aqueue_sms",
        "aresend",
        "asend_message",
        "asend_sms",
        "cancel",
        "mark_failed",
        "mark_sent",
        "message_parts",
        "prepare_sms",
        "queue_many",
        "queue_message",
        "queue_sms",
        "resend",
        "send_message",
        "send_prepared",
        "send_sms",
        "track_sms",
    ],
    "django_messente_dlr.signals": [
        "credits_exhausted",
        "credits_restored",
        "dlr_cancelled",
        "dlr_channel_failed",
        "dlr_delivered",
        "dlr_failed",
        "dlr_received",
        "dlr_seen",
        "dlr_status_changed",
        "dlr_unresolved",
        "identical_messages_blocked",
        "sender_not_allowed",
        "temporary_failure",
    ],
    "django_messente_dlr.backends.base": ["BaseBackend", "OutgoingMessage", "SendResult", "SentChannel"],
    "django_messente_dlr.testing": ["OutboxMixin", "outbox"],
    "django_messente_dlr.testing.callbacks": ["simulate_callback", "simulate_omnichannel_callback"],
    "django_messente_dlr.testing.factories": ["AccountFactory", "DeliveryReportFactory", "SmsMessageFactory"],
    "django_messente_dlr.testing.plugin": ["dlr_signals", "messente_sandbox", "sms_outbox"],
    "django_messente_dlr.testing.signals": ["SignalLog", "record_signals"],
}
#: Modules that a project names in its settings and URLs, and whose names it does not import.
PUBLIC_MODULES = ["django_messente_dlr.api.urls", "django_messente_dlr.urls"]
COMMANDS = [
    *("dispatch_dlrs", "erase_recipient", "messente_doctor", "messente_sandbox", "poll_dlrs", "prune_dlrs"),
    "send_queued",
]
EXTRAS = ["api", "celery", "phonenumbers", "progress", "testing"]
SETTINGS = {
    "ACCOUNTS",
    "ALLOWED_RECIPIENTS",
    "API_HOSTS",
    "BACKEND",
    "CALLBACK_ALLOWED_IPS",
    "CALLBACK_BASE_URL",
    "CALLBACK_KEYS",
    "CONNECT_TIMEOUT",
    "CREDIT_FLOOR",
    "DEFAULT_ACCOUNT",
    "DEFAULT_REGION",
    "DISPATCH",
    "DISPATCH_PUSH",
    "HOLD_ON_CREDITS_EXHAUSTED",
    "MAX_PARTS",
    "OMNICHANNEL_URL",
    "OVERRIDE_RECIPIENT",
    "PASSWORD",
    "POLL_BATCH_SIZE",
    "POLL_CONCURRENCY",
    "POLL_GRACE",
    "POLL_GRACE_WITHOUT_CALLBACK",
    "POLL_LEASE",
    "POLL_RATE",
    "PREVIOUS_PASSWORDS",
    "READ_TIMEOUT",
    "RESEND",
    "SEND_API",
    "QUEUE_BATCH_SIZE",
    "QUEUE_BULK",
    "QUEUE_CONCURRENCY",
    "QUEUE_LEASE",
    "QUEUE_MAX_ATTEMPTS",
    "QUEUE_PUSH",
    "QUEUE_RATE",
    "STORE_TEXT",
    "TOTAL_TIMEOUT",
    "TRUSTED_PROXY_COUNT",
    "USERNAME",
}
CODE_BLOCK = re.compile(r"^( *)\.\. code-block:: python\n(?:\1 +:.*\n)*((?:\1 +.*\n|\s*\n)+)", re.MULTILINE)


def documents() -> list[Path]:
    """Return the README and the pages of the documentation."""
    return [ROOT / "README.rst", *(ROOT / "docs").rglob("*.rst")]


def imports(code: str) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import from this package in a text."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith(PACKAGE))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("module", PUBLIC_NAMES)
def test_public_names__exported(module: str) -> None:
    if module.endswith("contrib.tasks") and django.VERSION < (6, 0):
        pytest.skip("Django has tasks since 6.0")
    imported = importlib.import_module(module)
    assert sorted(imported.__all__) == PUBLIC_NAMES[module]
    assert [name for name in PUBLIC_NAMES[module] if not hasattr(imported, name)] == []


def test_documentation__imports_public_names_only() -> None:
    found = [
        (path.name, module, name)
        for path in documents()
        for _, block in CODE_BLOCK.findall(path.read_text(encoding="utf-8"))
        for module, name in imports(textwrap.dedent(block))
    ]
    assert found
    private = [
        item
        for item in found
        if item[2] not in PUBLIC_NAMES.get(item[1], []) and f"{item[1]}.{item[2]}" not in PUBLIC_NAMES
    ]
    assert private == []


def test_classes__have_different_names() -> None:
    """Two classes of one name are easily confused. Django names all commands Command; backends follow it."""
    names = [
        node.name
        for path in (ROOT / PACKAGE).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name not in {"Command", "Backend", "Migration"}
    ]
    assert len(names) > 100
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_public_modules__documented() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in documents())
    named = [*(set(PUBLIC_NAMES) - {PACKAGE}), *PUBLIC_MODULES]
    assert [module for module in named if module not in text] == []


def test_public_commands_settings_and_extras() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert sorted(name for name, app in get_commands().items() if app == PACKAGE) == COMMANDS
    assert conf.known_keys() == SETTINGS
    assert sorted(extras) == EXTRAS
