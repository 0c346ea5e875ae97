"""Each translatable text has a compiled translation with the same placeholders in every language.

The tests read the catalogues with polib and Python's gettext module, so that they do not need GNU gettext.
"""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polib
import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation.template import templatize

import django_messente_dlr
from django_messente_dlr.admin import formatting
from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.models import DeliveryReport, MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, list_url, page_url

PACKAGE = Path(django_messente_dlr.__file__).parent
LANGUAGES = ["et", "ru", "lv", "de", "fr"]
MARKERS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "npgettext"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"))


def _code_msgids() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
                first = node.args[0]
                assert isinstance(first, ast.Constant), (path, ast.unparse(node))
                yield str(first.value), path


def _template_msgids() -> Iterator[tuple[str, Path]]:
    call = re.compile(r"(?:_|gettext|ngettext)\(\s*u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
    for path in PACKAGE.rglob("*.html"):
        for literal in call.findall(templatize(path.read_text(encoding="utf-8"))):
            yield str(ast.literal_eval(literal)).replace("%%", "%"), path


@cache
def package_msgids() -> list[tuple[str, Path]]:
    """Return each translatable text of the package, and its file: the package is parsed once for all tests."""
    return [*_code_msgids(), *_template_msgids()]


def test_locale__languages() -> None:
    assert sorted(path.name for path in (PACKAGE / "locale").iterdir()) == sorted(LANGUAGES)
    assert set(LANGUAGES) <= {code for code, _ in django_settings.LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue__has_every_text(language: str) -> None:
    msgids = {entry.msgid for entry in catalogue(language)}
    wanted = package_msgids()
    assert len(wanted) > 250
    assert [(text, path.name) for text, path in wanted if text not in msgids] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue__complete_without_unused_texts(language: str) -> None:
    entries = catalogue(language)
    wanted = {text for text, _ in package_msgids()}
    assert [entry.msgid for entry in entries if not entry.translated() or entry.fuzzy or entry.obsolete] == []
    assert [entry.msgid for entry in entries if entry.msgid not in wanted] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue__placeholders_and_final_punctuation(language: str) -> None:
    for entry in catalogue(language):
        for text in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(entry.msgid)), entry.msgid
            assert text.strip() == text, entry.msgid
            assert (text[-1] in ".?…") == (entry.msgid[-1] in ".?…"), entry.msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue__compiled(language: str) -> None:
    entries = catalogue(language)
    with (PACKAGE / "locale" / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in entries:
        if not entry.msgid_plural:
            assert compiled.gettext(entry.msgid) == entry.msgstr
            continue
        plurals = {compiled.ngettext(entry.msgid, entry.msgid_plural, number) for number in range(200)}
        assert plurals == set(entry.msgstr_plural.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes__translated(language: str) -> None:
    texts = [*(code.meaning for code in ErrorCode), *(code.advice for code in ErrorCode), *(s.meaning for s in Stat)]
    english = [str(text) for text in texts]
    with translation.override(language):
        assert [original for original, text in zip(english, texts, strict=True) if str(text) == original] == []
        assert [status for status in Status if str(status.label) == status.name.capitalize()] == []


@pytest.mark.parametrize(
    ("language", "ago", "ahead"),
    [
        ("et", "3 päeva tagasi", "5 minuti pärast"),
        ("ru", "3 дня назад", "через 5 минут"),
        ("lv", "pirms 3 dienām", "pēc 5 minūtēm"),
        ("de", "vor 3 Tagen", "in 5 Minuten"),
        ("fr", "il y a 3 jours", "dans 5 minutes"),
        ("en", "3 days ago", "in 5 minutes"),
    ],
)
def test_timesince_tag__grammatical_case(language: str, ago: str, ahead: str) -> None:
    """The unit of time has the grammatical case that the words for "ago" and "in" require."""
    now = timezone.now()
    with translation.override(language):
        tags = [
            formatting.timesince_tag(now - timedelta(days=3)),
            formatting.timesince_tag(now + timedelta(minutes=5, seconds=30)),
        ]
    texts = [tag.partition(">")[2].removesuffix("</time>") for tag in tags]
    assert texts == [ago, ahead]


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue__receiver_is_not_the_recipient(language: str) -> None:
    """A function connected to a signal and the recipient of a message have different translations."""
    entries = catalogue(language)
    receiver_entries = [entry for entry in entries if "receiver" in entry.msgid.lower()]
    recipient = next(entry.msgstr.lower() for entry in entries if entry.msgid == "recipient")
    assert len(receiver_entries) > 3
    for entry in receiver_entries:
        for text in (entry.msgstr, *entry.msgstr_plural.values()):
            assert recipient not in re.findall(r"\w+", text.lower()), entry.msgid


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("et", ("Ülevaade", "Saatja nimi ei ole lubatud", "Mis juhtus")),
        ("ru", ("Обзор", "Имя отправителя не разрешено", "Что произошло")),
        ("lv", ("Pārskats", "Sūtītāja vārds nav atļauts", "Kas notika")),
        ("de", ("Übersicht", "Absendername nicht erlaubt", "Was geschehen ist")),
        ("fr", ("Vue d’ensemble", "Nom d’expéditeur non autorisé", "Ce qui s’est passé")),
    ],
)
def test_admin_pages__translated(admin_client: Client, settings: Any, language: str, words: tuple[str, ...]) -> None:
    settings.LANGUAGE_CODE = language
    message = SmsMessageFactory.create(status=Status.REJECTED, err=7)
    report = DeliveryReportFactory.create(message=message, stat="REJECTD", status=Status.REJECTED, err=7)
    pages = [
        list_url(MessageStatistics),
        list_url(SmsMessage),
        page_url(message),
        list_url(DeliveryReport),
        page_url(report),
    ]
    content = "".join(html(admin_client, page) for page in pages)
    for word in words:
        assert word in content
    for entry in catalogue(language):
        # Complete sentences of the package must not appear in English.
        if entry.msgid.endswith(".") and "%" not in entry.msgid and len(entry.msgid) > 20:
            assert entry.msgid not in content
