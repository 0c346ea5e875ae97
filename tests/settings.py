"""Settings of the project in which the tests run."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import dj_database_url

SECRET_KEY = "a key for the tests alone, long enough for Django's own checks to be content"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "shop.example.com"]
USE_TZ = True
TIME_ZONE = "Europe/Tallinn"
USE_I18N = True
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"

# DATABASE_URL selects another database. tox -e postgres and tox -e mariadb set it.
DATABASES = {"default": dj_database_url.config(default="sqlite://:memory:")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.mysql":
    # Django requires mysqlclient, which must be compiled. PyMySQL implements the same protocol in pure Python.
    if not find_spec("MySQLdb"):
        import pymysql

        pymysql.version_info = (2, 2, 8, "final", 0)
        pymysql.install_as_MySQLdb()
    DATABASES["default"]["TEST"] = {"CHARSET": "utf8mb4"}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_messente_dlr",
    "shop",
    "tests.ledger",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

MESSENTE_DLR: dict[str, Any] = {
    "ACCOUNTS": {
        "default": {"USERNAME": "shop", "PASSWORD": "a-password", "PREVIOUS_PASSWORDS": ["an-older-password"]},
        "marketing": {"USERNAME": "news", "PASSWORD": "another-password"},
    },
    "SEND_API": "sms",
    "CALLBACK_BASE_URL": "https://shop.example.com",
    # No process listens on this port. A test that sends requests to Messente sets the hosts.
    "API_HOSTS": ["http://127.0.0.1:9", "http://127.0.0.1:9"],
    "OMNICHANNEL_URL": "http://127.0.0.1:9/v1",
}
