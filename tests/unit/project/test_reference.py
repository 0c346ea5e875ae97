"""The reference has an entry for everything that is public, and no entry for what does not exist."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth import get_permission_codename

from django_messente_dlr import conf, exceptions
from django_messente_dlr.messente import signatures
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models import Account, DeliveryReport, MessageStatistics, SmsMessage
from tests.processes import ROOT
from tests.unit.project.test_public_names import COMMANDS, EXTRAS, PACKAGE, PUBLIC_MODULES, PUBLIC_NAMES

REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / PACKAGE
SETTING = re.compile(r"^\.\. confval:: (\w+)\n   :type: (.+)\n   :default: ``(.+?)``(.*)\n\n(   \S.+)", re.MULTILINE)
UNIT = re.compile(r"\b(seconds|messages|parts|threads|proxies|requests per second|EUR)\b")
TABLE_ENTRY = re.compile(r"^   \* - (``.+``)$", re.MULTILINE)
REJECTION = re.compile(r'CallbackRejected\(\d+, f?"([^"]+)"\)|_respond\(\d+, "([^"]+)"\)|RETRY_LATER = "([^"]+)"')


def page(name: str) -> str:
    """Return the text of a page of the reference."""
    return (REFERENCE / f"{name}.rst").read_text("utf-8")


def section(text: str, title: str) -> str:
    """Return the section with a title, up to the next title of the same kind."""
    match = re.search(rf"^{title}\n(=+)\n(.*?)(?=^[^\n]+\n=+\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"docs/reference has no section {title}: write one."
    return match[2]


def entries(text: str) -> set[str]:
    """Return the names in the first column of the tables of a text."""
    return {name for row in TABLE_ENTRY.findall(text) for name in re.findall(r"``([^`]+)``", row)}


def ids_in(folder: Path, pattern: str) -> set[str]:
    """Return what matches a pattern in the modules of a folder."""
    return {found for path in folder.rglob("*.py") for found in re.findall(pattern, path.read_text("utf-8"))}


def assert_same(documented: set[str], existing: set[str], where: str) -> None:
    """Check that a page has an entry for each name that exists, and for no other."""
    missing, outdated = sorted(existing - documented), sorted(documented - existing)
    assert not missing, f"docs/{where} has no entry for {', '.join(missing)}: add it there."
    assert not outdated, f"docs/{where} describes {', '.join(outdated)}, which does not exist: remove it there."


@pytest.mark.parametrize("module", [*PUBLIC_NAMES, *PUBLIC_MODULES])
def test_reference__every_public_name(module: str) -> None:
    pages = {path.name: path.read_text("utf-8") for path in REFERENCE.glob("*.rst")}
    about = [text for text in pages.values() if re.search(rf"\b{re.escape(module)}\b", text)]
    assert about, f"No page of docs/reference names the module {module}: document it."
    missing = [
        name for name in PUBLIC_NAMES.get(module, []) if not any(re.search(rf"\b{name}\b", text) for text in about)
    ]
    assert not missing, f"No page of docs/reference names {', '.join(missing)} of {module}: document each."


def test_reference__every_setting_with_default_and_unit() -> None:
    entries = {name: (kind, default) for name, kind, default, *_ in SETTING.findall(page("settings"))}
    assert_same(set(entries), conf.known_keys(), "reference/settings.rst")
    config, account = conf.Config(), conf.AccountSettings(name="")
    for name, (kind, documented) in entries.items():
        default = getattr(config if hasattr(config, name.lower()) else account, name.lower())
        text = repr(default).replace("()", "[]").replace("''", '""')
        number = not isinstance(default, bool | str | tuple | dict | None)
        if number and not isinstance(default, int | float):
            text = str(default)
        assert documented == text, f"docs/reference/settings.rst: the default of {name} is {text}, not {documented}."
        assert not number or UNIT.search(kind), f"docs/reference/settings.rst: the type of {name} has no unit."


@pytest.mark.parametrize("command", COMMANDS)
def test_reference__every_command_with_its_options(command: str) -> None:
    text = section(page("commands"), command)
    assert f".. code-table:: options {command}\n" in text, f"The section {command} has no table of its options."
    assert "xit status" in text, f"The section {command} describes no exit status."


def test_reference__every_system_check() -> None:
    documented = entries(section(page("checks"), "System checks"))
    assert_same(documented, ids_in(SOURCE / "checks", r"\b[EIW]\d{3}(?=\")"), "reference/checks.rst")


def test_reference__every_finding_of_messente_doctor() -> None:
    documented = entries(section(page("checks"), "Findings of messente_doctor"))
    assert_same(documented, ids_in(SOURCE / "doctor", r"\bD\d{3}(?=\")"), "reference/checks.rst")


@pytest.mark.parametrize("model", [*apps.get_app_config(PACKAGE).get_models()], ids=lambda model: model.__name__)
def test_reference__every_field(model: type[SmsMessage]) -> None:
    documented = entries(section(page("models"), model.__name__))
    assert_same(documented, {field.name for field in model._meta.concrete_fields}, "reference/models.rst")


def test_reference__every_permission() -> None:
    models = (SmsMessage, DeliveryReport, Account, MessageStatistics)
    existing = {get_permission_codename("view", model._meta) for model in models}
    # The pages are read-only, so that "change" is the permission of their actions. The overview has none.
    existing |= {get_permission_codename("change", model._meta) for model in models[:3]}
    existing |= {codename for model in models for codename, _ in model._meta.permissions}
    assert_same(entries(page("permissions")), existing, "reference/permissions.rst")


def test_reference__every_parameter_and_field_of_the_rest_api() -> None:
    pytest.importorskip("django_filters")
    from django_messente_dlr.api.filters import MessageFilter
    from django_messente_dlr.api.serializers import DeliveryReportDetailSerializer, SmsMessageSerializer

    text = page("rest_api")
    parameters = {*MessageFilter.base_filters, "page_size", "cursor"}
    assert_same(entries(section(text, "Parameters")), parameters, "reference/rest_api.rst")
    fields = {*SmsMessageSerializer.Meta.fields, *DeliveryReportDetailSerializer.Meta.fields}
    assert_same(
        set(re.findall(r"``(\w+)``", section(text, "Fields"))),
        fields | {"code", "name", "meaning", "advice"},
        "reference/rest_api.rst",
    )


def test_reference__every_record_of_the_json_of_poll_dlrs() -> None:
    from django_messente_dlr.polling import Summary

    numbers = {field.name for field in dataclasses.fields(Summary)} | {"waiting", "next_poll_at"}
    assert_same(entries(section(page("commands"), "poll_dlrs")), numbers, "reference/commands.rst")


def test_documentation__every_extra() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.rst"))
    assert [name for name in EXTRAS if f"django-messente-dlr[{name}]" not in text] == []


def test_troubleshooting__every_exception_response_and_rejection() -> None:
    text = (ROOT / "docs" / "project" / "troubleshooting.rst").read_text("utf-8")
    webhook = "".join(path.read_text("utf-8") for path in (SOURCE / "webhook").glob("*.py"))
    rejections = {
        re.sub(r"\{[^}]+\}", "...", sentence.replace("{signatures.HEADER}", signatures.HEADER)).rstrip(".")
        for found in REJECTION.findall(webhook)
        for sentence in found
        if sentence
    }
    assert len(rejections) > 8
    names = {*exceptions.__all__} - {"MessenteError"}
    missing = [name for name in sorted({*names, *ResponseCode, *rejections}) if name not in text]
    assert not missing, f"docs/project/troubleshooting.rst has no entry for {missing}: add it there."
