"""``CALLBACK_ALLOWED_IPS`` and ``TRUSTED_PROXY_COUNT``: the IP address of the client, which a header cannot forge."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.models import Account, DeliveryReport
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.webhook import client_ip
from tests.unit.messente.storable import unhurried

MESSENTE, STRANGER, PROXY = "5.9.48.210", "203.0.113.66", "10.0.0.1"


def configure(settings: Any, **changes: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **changes}


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "expected"),
    [
        (0, MESSENTE, "", MESSENTE),
        (0, PROXY, MESSENTE, PROXY),  # any client can send that header
        (1, PROXY, MESSENTE, MESSENTE),
        (1, PROXY, f"{MESSENTE}, {STRANGER}", STRANGER),
        (1, PROXY, f"{MESSENTE},{STRANGER}", STRANGER),
        (1, PROXY, f" {MESSENTE} ", MESSENTE),
        (1, "", MESSENTE, MESSENTE),  # a proxy on a Unix socket
        (2, PROXY, f"{MESSENTE}, {STRANGER}, {PROXY}", STRANGER),
        (2, PROXY, f"{MESSENTE}, {PROXY}", MESSENTE),
        (2, PROXY, MESSENTE, None),  # the request bypassed the first proxy
        (1, MESSENTE, "", None),
        (1, MESSENTE, " , ", None),
        (1, PROXY, "unknown", None),
        (1, PROXY, "_hidden", None),
        (1, PROXY, f"{MESSENTE}:54321", MESSENTE),
        (1, PROXY, "[2001:db8::1]:443", "2001:db8::1"),
        (1, PROXY, "[2001:db8::1]", "2001:db8::1"),
        (1, PROXY, "2001:db8::1", "2001:db8::1"),
        (0, f"::ffff:{MESSENTE}", "", MESSENTE),
        (0, "", "", None),
        (0, "unix:", "", None),
        (0, "05.9.48.210", "", None),
        (0, "5.9.48.21\u0660", "", None),
    ],
)
def test_client_ip__counts_from_the_right(
    settings: Any, proxies: int, remote: str, forwarded: str, expected: str | None
) -> None:
    configure(settings, TRUSTED_PROXY_COUNT=proxies)
    meta = {"REMOTE_ADDR": remote, client_ip.FORWARDED: forwarded}
    assert client_ip.client_ip(meta) == (ip_address(expected) if expected else None)


@unhurried
@given(remote=st.text(), forwarded=st.text(st.sampled_from("0123456789abcdef.:,[]% \0") | st.characters()))
def test_client_ip__arbitrary_headers(remote: str, forwarded: str) -> None:
    meta = {"REMOTE_ADDR": remote, client_ip.FORWARDED: forwarded}
    assert isinstance(client_ip.is_allowed(client_ip.client_ip(meta)), bool)


@pytest.mark.django_db
class TestCallbackView:
    def send_callback(self, client: Client, remote: str, forwarded: str = "", method: str = "get") -> int:
        message = SmsMessageFactory.create(sms_unique_id=None)
        path = message.callback_url.removeprefix("https://shop.example.com")
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        send = getattr(client, method)
        return int(send(f"{path}?stat=DELIVRD", headers=headers, REMOTE_ADDR=remote).status_code)

    def test_callback__no_networks(self, client: Client) -> None:
        assert self.send_callback(client, STRANGER) == 200
        assert self.send_callback(client, "") == 200

    @pytest.mark.parametrize("network", [MESSENTE, f"{MESSENTE}/32", "5.9.48.0/24", "0.0.0.0/0"])
    def test_callback__allowed_network(self, client: Client, settings: Any, network: str) -> None:
        configure(settings, CALLBACK_ALLOWED_IPS=["2001:db8::/32", network])
        assert self.send_callback(client, MESSENTE) == 200
        assert self.send_callback(client, "2001:db8::7") == 200

    @pytest.mark.parametrize("remote", [STRANGER, "", "2001:db9::", PROXY, "unknown"])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_callback__other_address(self, client: Client, settings: Any, remote: str, method: str) -> None:
        """The view refuses the request and writes no row."""
        configure(settings, CALLBACK_ALLOWED_IPS=["5.9.48.0/24", "2001:db8::/32"])
        assert self.send_callback(client, remote, method=method) == 403
        assert self.send_callback(client, remote, forwarded=MESSENTE, method=method) == 403
        assert not DeliveryReport.objects.exists()
        assert not Account.objects.exists()

    def test_callback__behind_a_proxy(self, client: Client, settings: Any) -> None:
        configure(settings, CALLBACK_ALLOWED_IPS=[MESSENTE], TRUSTED_PROXY_COUNT=1)
        assert self.send_callback(client, PROXY, forwarded=MESSENTE) == 200
        assert self.send_callback(client, PROXY, forwarded=f"{MESSENTE}, {STRANGER}") == 403
        assert self.send_callback(client, MESSENTE) == 403
