"""A module whose optional requirement is missing raises an ImportError that states what to install."""

from __future__ import annotations

import importlib
import sys

import pytest

from tests.processes import ROOT

PACKAGE = "django_messente_dlr"
CASES = [
    ("api.urls", "rest_framework", "django-messente-dlr[api]"),
    ("api.urls", "django_filters", "django-messente-dlr[api]"),
    ("contrib.celery", "celery", "django-messente-dlr[celery]"),
    ("contrib.tasks", "django.tasks", "Django 6.0 or later"),
    ("testing.factories", "factory", "django-messente-dlr[testing]"),
]


@pytest.mark.parametrize(("module", "missing", "remedy"), CASES)
def test_import__missing_requirement(monkeypatch: pytest.MonkeyPatch, module: str, missing: str, remedy: str) -> None:
    for name in (f"{PACKAGE}.api", f"{PACKAGE}.{module}"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)  # Python raises ModuleNotFoundError for such an entry
    with pytest.raises(ImportError) as raised:
        importlib.import_module(f"{PACKAGE}.{module}")
    assert remedy in str(raised.value)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_rest_framework__imported_by_the_api_only() -> None:
    imports = ("import rest_framework", "from rest_framework", "import django_filters", "from django_filters")
    package = ROOT / PACKAGE
    names = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(imports)
    }
    assert names == {"api"}
