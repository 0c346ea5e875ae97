"""Settings of a project with this package and django-post_office.

``BENCH_DATABASE`` contains the database as JSON; ``BENCH_URL`` is the address of the local Messente, and
``BENCH_CALLBACK_URL`` that of the web server for its callbacks.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec

SECRET_KEY = "only-for-the-benchmark, and long enough for the system checks of Django"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
ROOT_URLCONF = "benchmarks.queue.urls"
DATABASES = {"default": {**json.loads(os.environ["BENCH_DATABASE"]), "ATOMIC_REQUESTS": True, "CONN_MAX_AGE": 60}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_messente_dlr"]
if find_spec("post_office"):
    INSTALLED_APPS += ["post_office"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
EMAIL_BACKEND = "post_office.EmailBackend"
POST_OFFICE = {"BACKENDS": {"default": "django.core.mail.backends.locmem.EmailBackend"}, "CELERY_ENABLED": False}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_URL = os.environ.get("BENCH_URL", "http://127.0.0.1:9")
MESSENTE_DLR = {
    "USERNAME": "bench",
    "PASSWORD": "a-password-of-the-benchmark",
    "API_HOSTS": [_URL] * 2,
    "OMNICHANNEL_URL": f"{_URL}/v1",
    "CALLBACK_BASE_URL": os.environ.get("BENCH_CALLBACK_URL", "http://127.0.0.1:9"),
    "SEND_API": os.environ.get("BENCH_API", "sms"),
    "QUEUE_BULK": os.environ.get("BENCH_API") == "omnichannel",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["console"]},
}
