"""Settings of the project that gunicorn serves and in which commands run, in other processes than the test."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 - the project of the tests, with another app
from tests.settings import DATABASES, INSTALLED_APPS, MESSENTE_DLR

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "shop"] + ["tests.integration.processes.witness"]
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("DLR_CONN_MAX_AGE", "0"))
MESSENTE_DLR = {
    **MESSENTE_DLR,
    "API_HOSTS": [os.environ["DLR_MESSENTE"]] * 2,
    "CALLBACK_BASE_URL": os.environ["DLR_URL"],
    "POLL_GRACE": 0.0,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"log": {"class": "logging.FileHandler", "filename": os.environ["DLR_LOG"]}},
    "root": {"handlers": ["log"], "level": "INFO"},
}
