"""The settings with their types and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django_messente_dlr.conf.account_settings import DEFAULT_ACCOUNT, AccountSettings
from django_messente_dlr.conf.converters import Network
from django_messente_dlr.conf.resend_policy import ResendPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings. Each attribute is a key of ``MESSENTE_DLR`` in lower case.

    Attributes:
        accounts: the accounts by name.
        callback_base_url: the scheme and host of this project for Messente; "" sends messages without a dlr-url.
        callback_keys: the keys of callback URLs: the first signs, all verify. Empty for Django's secret keys.
        callback_allowed_ips: the networks that may send callbacks; empty for any.
        trusted_proxy_count: the number of proxies in front of this project that append to X-Forwarded-For.
        send_api: the API of `send_sms`: "omnichannel", or "sms", which Messente marks as deprecated.
        default_account: the name of the account that sends if the caller names none.
        backend: the dotted path of the class that sends messages.
        allowed_recipients: the numbers and prefixes that messages may be sent to; None for every number.
        override_recipient: the number that gets every message instead of its recipient; "" for none.
        store_text: whether the texts of messages are stored.
        default_region: the country of national numbers, such as "EE"; "" refuses national numbers.
        max_parts: the greatest number of parts of an SMS.
        hold_on_credits_exhausted: whether ``send_sms`` and ``prepare_sms`` raise while an account is on credit hold.
        credit_floor: the balance in EUR above which a balance check ends a credit hold.
        api_hosts: the SMS API's hosts in order of preference; empty for Messente's own.
        omnichannel_url: the Omnichannel API's base URL; empty for Messente's own.
        connect_timeout: the limit in seconds for a connection to Messente.
        read_timeout: the limit in seconds for each part of Messente's answer.
        total_timeout: the limit in seconds for a request to one host, from the connection to the end of the answer.
        poll_grace: seconds to wait for a callback before the first poll of a message.
        poll_grace_without_callback: the same for messages without a callback URL.
        poll_lease: seconds for which a poller's claim reserves a message.
        poll_batch_size: the number of messages in one claim.
        poll_concurrency: the number of threads that poll Messente at the same time.
        poll_rate: requests that one process sends in a second; Messente's own limit is 150 for an IP address.
        dispatch: "inline" if the process that records a report sends its signals, "deferred" if another one does.
        dispatch_push: the dotted path of a function that is called with each report that is due; "" for none.
        queue_lease: seconds for which a worker's claim reserves a queued message.
        queue_batch_size: the number of queued messages in one claim.
        queue_concurrency: the number of threads that send queued messages at the same time.
        queue_rate: requests of queued messages that one process sends in a second.
        queue_max_attempts: how often a queued message is tried that was certainly not sent, before it has failed.
        queue_bulk: whether queued messages are sent in requests of up to 1,000 (Omnichannel API only).
        queue_push: the dotted path of a function that is called with each message that is queued; "" for none.
        resend: how messages are sent again that failed for a temporary cause; None if they are not.
    """

    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)
    callback_base_url: str = ""
    callback_keys: tuple[str, ...] = field(default=(), repr=False)
    callback_allowed_ips: tuple[Network, ...] = ()
    trusted_proxy_count: int = 0
    send_api: str = "omnichannel"
    default_account: str = DEFAULT_ACCOUNT
    backend: str = "django_messente_dlr.backends.messente.Backend"
    allowed_recipients: tuple[str, ...] | None = None
    override_recipient: str = ""
    store_text: bool = False
    default_region: str = ""
    max_parts: int = 10
    hold_on_credits_exhausted: bool = True
    credit_floor: Decimal = Decimal(0)
    api_hosts: tuple[str, ...] = ()
    omnichannel_url: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    total_timeout: float = 20.0
    poll_grace: float = 600.0
    poll_grace_without_callback: float = 30.0
    poll_lease: float = 300.0
    poll_batch_size: int = 100
    poll_concurrency: int = 16
    poll_rate: float = 100.0
    dispatch: str = "inline"
    dispatch_push: str = ""
    queue_lease: float = 300.0
    queue_batch_size: int = 100
    queue_concurrency: int = 16
    queue_rate: float = 100.0
    queue_max_attempts: int = 10
    queue_bulk: bool = False
    queue_push: str = ""
    resend: ResendPolicy | None = None
