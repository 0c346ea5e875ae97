"""A project with the smallest set of Django's apps that this app needs: no admin, sessions or REST framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import run

SETTINGS = """
SECRET_KEY = "a key for this test alone, long enough for Django's own checks to be content"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "a.sqlite3"}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_messente_dlr"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "small_urls"
USE_TZ = True
MESSENTE_DLR = {"USERNAME": "shop", "PASSWORD": "a-password", "CALLBACK_BASE_URL": "https://shop.example.com"}
"""
URLS = """
from django.urls import include, path

urlpatterns = [path("messente/", include("django_messente_dlr.urls"))]
"""
RENDER = """
from django.template import engines
text = "{% load messente_dlr %}{{ 'delivered'|messente_dlr_status }} {{ 0.5|messente_dlr_percent }}"
print(engines["django"].from_string(text).render())
"""


REPLICA = """
DATABASES["replica"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "b.sqlite3"}
DATABASE_ROUTERS = ["small.Router"]
MESSENTE_DLR["API_HOSTS"] = ["http://127.0.0.1:9"]  # a port on which no process listens
MESSENTE_DLR["OMNICHANNEL_URL"] = "http://127.0.0.1:9/v1"

class Router:
    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, one, other, **hints):
        return True
"""
VERSIONS = """
INSTALLED_APPS += ["rest_framework", "django_filters"]
ALLOWED_HOSTS = ["testserver"]
REST_FRAMEWORK = {
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "ALLOWED_VERSIONS": ["v1"],
}
"""
NESTED_API = """
api = [path("messente/", include("django_messente_dlr.api.urls"))]
urlpatterns.append(path("api/", include((api, "api"))))
"""
REQUEST_API = """
from django.test import Client

print(Client().get("/api/messages/").status_code)
"""
DRIVERS = """
import sys
from django.test import Client

Client().get("/messente/dlr/")
print(sorted({"psycopg", "psycopg2", "MySQLdb", "pymysql"} & set(sys.modules)))
"""
SEND = """
from django_messente_dlr.sending import send_sms

try:
    send_sms("+37255500000", "Hello")
except Exception as exc:
    print(type(exc).__name__, exc.sms_message.status)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    header = f"from pathlib import Path\nBASE = Path({str(tmp_path)!r})\n"
    (tmp_path / "small.py").write_text(header + SETTINGS)
    (tmp_path / "small_urls.py").write_text(URLS)
    return tmp_path


def test_small_project__check_migrate_poll(folder: Path) -> None:
    check = run("check", "--fail-level=WARNING", folder=folder, settings="small")
    assert (check.returncode, check.stderr) == (0, "")
    migrate = run("migrate", "--verbosity=0", folder=folder, settings="small")
    assert (migrate.returncode, migrate.stderr) == (0, "")
    poll = run("poll_dlrs", folder=folder, settings="small")
    assert poll.stdout.startswith("asked 0"), poll.stderr


def test_small_project__template_tags(folder: Path) -> None:
    shell = run("shell", "--command", RENDER, folder=folder, settings="small")
    assert "Delivered" in shell.stdout, shell.stderr
    assert "50 %" in shell.stdout


def test_small_project__imports_no_other_database_driver(folder: Path) -> None:
    shell = run("shell", "--command", DRIVERS, folder=folder, settings="small")
    assert shell.stdout.strip().endswith("[]"), shell.stdout + shell.stderr


def test_api__ignores_versioning_of_project(folder: Path) -> None:
    with (folder / "small.py").open("a") as settings:
        settings.write(VERSIONS)
    with (folder / "small_urls.py").open("a") as urls:
        urls.write('urlpatterns.append(path("api/", include("django_messente_dlr.api.urls")))')
    shell = run("shell", "--command", REQUEST_API, folder=folder, settings="small")
    assert shell.stdout.strip().endswith("403"), shell.stdout + shell.stderr


@pytest.mark.parametrize("extra", ["", "[api]"])
def test_check__api_without_its_apps(folder: Path, extra: str) -> None:
    """The project includes the API's URLs below a namespace, and has the API's apps only with the extra."""
    with (folder / "small.py").open("a") as settings:
        settings.write(VERSIONS if extra else "")
    with (folder / "small_urls.py").open("a") as urls:
        urls.write(NESTED_API)
    check = run("check", folder=folder, settings="small")
    assert [name in check.stderr for name in ("E010", "rest_framework", "django_filters")] == [not extra] * 3


def test_check__no_api_and_no_apps_of_the_api(folder: Path) -> None:
    doctor = run("check", "--deploy", folder=folder, settings="small")
    assert "E010" not in doctor.stderr
    assert "check identified" in doctor.stderr


def test_send_sms__error_with_replica_that_lags(folder: Path) -> None:
    with (folder / "small.py").open("a") as settings:
        settings.write(REPLICA)
    for name in ("default", "replica"):
        run("migrate", "--verbosity=0", f"--database={name}", folder=folder, settings="small").check_returncode()
    shell = run("shell", "--command", SEND, folder=folder, settings="small")
    assert shell.stdout.strip().endswith("MessageNotSent failed"), shell.stdout + shell.stderr
