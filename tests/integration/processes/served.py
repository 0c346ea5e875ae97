"""Settings of the project that gunicorn serves and in which commands run, in other processes than the test."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403 - the project of the tests, with another app
from tests.settings import DATABASES, INSTALLED_APPS, MESSENTE_DLR

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "shop"] + ["tests.integration.processes.witness"]
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("DLR_CONN_MAX_AGE", "0"))
if isolation := os.environ.get("DLR_ISOLATION"):
    level: object = isolation
    if "postgresql" in DATABASES["default"]["ENGINE"]:
        from psycopg import IsolationLevel

        level = IsolationLevel[isolation.replace(" ", "_").upper()]
    DATABASES["default"].setdefault("OPTIONS", {})["isolation_level"] = level
MESSENTE_DLR = {
    **MESSENTE_DLR,
    "SEND_API": os.environ.get("DLR_SEND_API", "sms"),
    "API_HOSTS": [os.environ["DLR_MESSENTE"]] * 2,
    "OMNICHANNEL_URL": f"{os.environ['DLR_MESSENTE']}/v1",
    "CALLBACK_BASE_URL": os.environ["DLR_URL"],
    "POLL_GRACE": 0.0,
    "QUEUE_BULK": bool(os.environ.get("DLR_QUEUE_BULK")),
    "QUEUE_LEASE": float(os.environ.get("DLR_QUEUE_LEASE", "300")),
    "STORE_TEXT": bool(os.environ.get("DLR_RESEND")),
    "RESEND": json.loads(os.environ.get("DLR_RESEND", "null")),
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"timed": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
    "handlers": {
        "log": {"class": "logging.FileHandler", "filename": os.environ["DLR_LOG"], "formatter": "timed"},
    },
    "root": {"handlers": ["log"], "level": "INFO"},
}
