"""Settings of the worker processes. The test passes its database and the URL of its fake Messente."""

from __future__ import annotations

import os

from tests import settings
from tests.settings import *  # noqa: F403

DATABASES = {"default": {**settings.DATABASES["default"], "NAME": os.environ["BROKER_TEST_DATABASE"]}}
MESSENTE_DLR = {
    **settings.MESSENTE_DLR,
    "SEND_API": "sms",
    "API_HOSTS": [os.environ["BROKER_TEST_MESSENTE"]],
    "POLL_LEASE": float(os.environ["BROKER_TEST_LEASE"]),
    "POLL_CONCURRENCY": int(os.environ["BROKER_TEST_CONCURRENCY"]),
    "POLL_RATE": 10_000.0,
}
