"""The shared `MessenteClient` of each account, created from the settings."""

from __future__ import annotations

from datetime import timedelta

from django_messente_dlr import conf
from django_messente_dlr.conf.caching import cached_until_changed
from django_messente_dlr.messente.client import API_HOSTS, OMNICHANNEL_URL, MessenteClient
from django_messente_dlr.messente.recipients import is_allowed

# How long no other requests are sent for an account that Messente refused. It refuses all of them until the settings
# or the account change.
REFUSED_ACCOUNT_PAUSE = timedelta(minutes=5)


@cached_until_changed
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
        allowed_recipients=_allowed_recipients(config.allowed_recipients, override=config.override_recipient),
    )


def _allowed_recipients(allowed: tuple[str, ...] | None, *, override: str) -> tuple[str, ...] | None:
    """Return the numbers that a client may send to: ``OVERRIDE_RECIPIENT`` alone, if it is set and allowed."""
    if not override:
        return allowed
    # The caller of a backend replaces the recipient. A client that is called without it must not send to another.
    return (override.removeprefix("+"),) if allowed is None or is_allowed(override, allowed) else ()
