"""The settings of the example shop: the minimum of a project that uses django_messente_dlr."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

# A random key at each start, unless SHOP_SECRET_KEY is set. A restart invalidates sessions and callback tokens.
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY") or get_random_secret_key()
DEBUG = os.environ.get("SHOP_DEBUG") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
USE_TZ = True
TIME_ZONE = "Europe/Tallinn"
STATIC_URL = "static/"

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
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the admin uses the browser's language
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3"),
        # SQLite allows one writer at a time. IMMEDIATE takes the write lock when a transaction begins, "timeout"
        # waits for another writer, and WAL lets readers continue meanwhile.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

# With a real account, set both credentials and CALLBACK_BASE_URL, and remove API_HOSTS and OMNICHANNEL_URL.
SANDBOX = os.environ.get("SHOP_SANDBOX_URL", "http://127.0.0.1:8025")
MESSENTE_DLR = {
    "USERNAME": os.environ.get("MESSENTE_USERNAME", "shop"),
    "PASSWORD": os.environ.get("MESSENTE_PASSWORD", "only-the-sandbox-knows-it"),
    "CALLBACK_BASE_URL": os.environ.get("SHOP_URL", "http://127.0.0.1:8000"),
    # The admin can only resend messages whose text is stored. Check your rules for personal data before you set it.
    "STORE_TEXT": True,
    "API_HOSTS": [SANDBOX, SANDBOX],
    "OMNICHANNEL_URL": f"{SANDBOX}/v1",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"django_messente_dlr": {"handlers": ["console"], "level": "WARNING"}},
}
