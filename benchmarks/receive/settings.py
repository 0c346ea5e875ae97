"""Settings of a project as ``startproject`` creates it, with persistent connections.

``BENCH_DATABASE`` contains the default database as JSON.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec

from benchmarks.receive import ANYMAIL_SECRET

SECRET_KEY = "only-for-the-benchmark, and long enough for the system checks of Django"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "benchmarks.receive.urls"
WSGI_APPLICATION = "benchmarks.receive.wsgi.application"

DATABASES = {"default": json.loads(os.environ["BENCH_DATABASE"])}
if DATABASES["default"]["ENGINE"].endswith("mysql") and not find_spec("MySQLdb"):
    import pymysql

    pymysql.install_as_MySQLdb()

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "anymail",
    "django_messente_dlr",
    "benchmarks.receive.byhand",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ANYMAIL = {"WEBHOOK_SECRET": ANYMAIL_SECRET}
MESSENTE_DLR = {
    "USERNAME": "bench",
    "PASSWORD": "a-password-of-the-benchmark",
    "CALLBACK_BASE_URL": "http://127.0.0.1",
}
