"""The shared `MessenteClient` of each account, created from the settings."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.core.signals import setting_changed

from django_messente_dlr import conf
from django_messente_dlr.messente.client import API_HOSTS, OMNICHANNEL_URL, MessenteClient


@cache
def client_for(account: str) -> MessenteClient:
    """Return the client with the credentials of ``account``. Each process creates it once.

    Raises:
        ImproperlyConfigured: the account is not configured.
    """
    config = conf.get_config()
    credentials = conf.account(account)
    return MessenteClient(
        credentials.username,
        credentials.password,
        hosts=config.api_hosts or API_HOSTS,
        omnichannel_url=config.omnichannel_url or OMNICHANNEL_URL,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        total_timeout=config.total_timeout,
    )


def _clear_cache(*, setting: str, **kwargs: Any) -> None:
    if setting == conf.SETTING:
        client_for.cache_clear()


setting_changed.connect(_clear_cache, dispatch_uid=f"{__name__}._clear_cache")
