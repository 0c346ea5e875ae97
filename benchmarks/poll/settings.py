"""Settings of a project with this package only.

``BENCH_DATABASES`` contains ``DATABASES`` as JSON; ``BENCH_URL`` is the address of the stub server, which is also the
backup host; ``BENCH_TOTAL_TIMEOUT`` is the setting ``TOTAL_TIMEOUT``.
"""

from __future__ import annotations

import json
import os

SECRET_KEY = "only-for-the-benchmark, and long enough for the system checks of Django"
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
    "API_HOSTS": [os.environ.get("BENCH_URL", "http://127.0.0.1:9")] * 2,
    "TOTAL_TIMEOUT": float(os.environ.get("BENCH_TOTAL_TIMEOUT", "20")),
    # So high that it never limits the run: the benchmark measures the package, not the rate limit of Messente.
    "POLL_RATE": 1_000_000.0,
}
