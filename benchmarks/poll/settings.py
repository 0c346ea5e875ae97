"""A project with nothing but this package; ``BENCH_DATABASES`` has its databases, ``BENCH_URL`` its Messente."""

from __future__ import annotations

import json
import os

SECRET_KEY = "a key for the benchmark alone, long enough for Django's own checks to be content"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = json.loads(os.environ["BENCH_DATABASES"])
DATABASE_ROUTERS = ["benchmarks.poll.database.Router"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_messente_dlr"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MESSENTE_DLR = {
    "USERNAME": "bench",
    "PASSWORD": "a-password-of-the-benchmark",
    "API_HOSTS": [os.environ.get("BENCH_URL", "http://127.0.0.1:9")],
    # What is measured is how fast it can, not how fast Messente lets it.
    "POLL_RATE": 1_000_000.0,
}
