"""Check the settings of the send queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Info, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr import conf
from django_messente_dlr.checks.push import check_push, is_scheduled

APP = "django_messente_dlr"
SENDING_TASK = "django_messente_dlr.send_queued"
MAX_HOSTS = 2  # a request to the SMS API is sent to the backup host, too, if the first host cannot have it


@register()
def check_queue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check ``RESEND``, settings of the queue, and whether a setting shows what sends the messages."""
    try:
        config = conf.get_config()
    except ImproperlyConfigured:
        return []  # E001 reports it
    return list(_check_queue(config))


def _is_used() -> bool:
    """Return whether a setting of the queue is set: the settings do not show whether the project calls queue_sms."""
    return any(name.startswith(("QUEUE_", "RESEND")) for name in conf.raw_settings())


def _check_queue(config: conf.Config) -> Iterator[CheckMessage]:
    if config.queue_push:
        yield from check_push(
            "QUEUE_PUSH",
            config.queue_push,
            function="push_queue",
            takes="the primary key of a message, or None",
            hint="The immediate backend calls Messente in the web process.",
            error_id=f"{APP}.E032",
            warning_id=f"{APP}.W023",
        )
    elif _is_used() and not is_scheduled({SENDING_TASK}):
        yield Warning(
            "A setting of the send queue is set, and no setting shows which process sends its messages.",
            hint="Set QUEUE_PUSH, for example to django_messente_dlr.contrib.celery.push_queue. If send_queued runs "
            "as a service or by cron, silence this check; messente_doctor reports messages that are late.",
            id=f"{APP}.W026",
        )
    if config.queue_bulk and config.send_api == "sms":
        yield Warning(
            'QUEUE_BULK is on and SEND_API is "sms", which has no bulk requests, so queue_sms does not use them.',
            hint='Set SEND_API to "omnichannel", or remove QUEUE_BULK.',
            id=f"{APP}.W024",
        )
    if config.resend and not config.store_text:
        yield Info(
            "RESEND is set, so the texts of messages are kept until they are final, although STORE_TEXT is not set.",
            hint="Run poll_dlrs every minute: its sweep deletes them. Silence this check if that is intended.",
            id=f"{APP}.I001",
        )
    longest = MAX_HOSTS * config.total_timeout
    if config.queue_lease <= longest:
        yield Warning(
            f"QUEUE_LEASE is {config.queue_lease:g} seconds, and a request can take {longest:g}, so that messages "
            "whose request is under way are shown as unknown.",
            hint="Increase QUEUE_LEASE, or decrease TOTAL_TIMEOUT.",
            id=f"{APP}.W025",
        )
