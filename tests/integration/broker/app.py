"""The Celery app of the worker processes: ``celery -A tests.integration.broker.app worker``."""

from __future__ import annotations

import os

import django
from celery import Celery

django.setup()

from django_messente_dlr.contrib import _jobs  # noqa: E402 - it imports models

_jobs.SHARE_SIZE = int(os.environ["BROKER_TEST_SHARE"])

app = Celery("tests.integration.broker", broker=os.environ["BROKER_TEST_URL"])
app.conf.update(
    imports=["django_messente_dlr.contrib.celery"],
    task_default_queue=os.environ["BROKER_TEST_QUEUE"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)
