"""The probe of ``messente_doctor``: a process with the signing keys proves it, and no process stores it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_messente_dlr.callbacks import paths
from django_messente_dlr.callbacks.tokens import ProbeToken, check_probe, probe_url, read_token, sign_probe
from django_messente_dlr.messente.signatures import HEADER, sign
from django_messente_dlr.models import Account, DeliveryReport

BASE = "https://shop.example.com"


def token_of(url: str) -> str:
    return url.removeprefix(f"{BASE}/messente/dlr/").rstrip("/")


def test_probe_url__token_is_a_probe() -> None:
    url, probe = probe_url()
    assert read_token(token_of(url)) == probe
    assert isinstance(read_token(token_of(url)), ProbeToken)


def test_probe_url__unique() -> None:
    assert probe_url()[1] != probe_url()[1]


@pytest.mark.parametrize(
    "make_proof", [sign_probe, lambda probe: token_of(probe_url()[0]), lambda probe: probe.nonce]
)
def test_check_probe__accepts_only_its_proof(make_proof: Any) -> None:
    probe = probe_url()[1]
    assert check_probe(make_proof(probe), probe) is (make_proof is sign_probe)
    assert read_token(sign_probe(probe)) is None
    assert not check_probe(sign_probe(probe), ProbeToken("0" * 32))


@pytest.mark.parametrize("proof", ["", ".", "x" * 10_000, "õ.õ", "\ud800", "\0"])
def test_check_probe__malformed_proof(proof: str) -> None:
    assert not check_probe(proof, probe_url()[1])


def test_check_probe__older_key(settings: Any) -> None:
    probe = probe_url()[1]
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["old"]}
    proof = sign_probe(probe)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new", "old"]}
    assert check_probe(proof, probe)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new"]}
    assert not check_probe(proof, probe)


@pytest.mark.django_db
class TestCallbackView:
    def test_callback__probe_by_get(self, client: Client) -> None:
        url, probe = probe_url()
        payload = client.get(f"{url.removeprefix(BASE)}?stat=DELIVRD&sms_unique_id=an-id").json()
        assert check_probe(payload["proof"], probe)
        assert (payload["address"], payload["allowed"], payload["forwarded"]) == ("127.0.0.1", True, 0)
        assert not DeliveryReport.objects.exists()
        assert not Account.objects.exists()

    @pytest.mark.parametrize(("password", "status"), [("a-password", 200), ("x", 403)])
    def test_callback__probe_by_post(self, client: Client, password: str, status: int) -> None:
        url, probe = probe_url()
        response = client.post(
            url.removeprefix(BASE),
            b"{}",
            content_type="application/json",
            headers={HEADER: sign(b"{}", password)},
        )
        assert response.status_code == status
        assert status != 200 or check_probe(response.json()["proof"], probe)
        assert not DeliveryReport.objects.exists()

    def test_callback__forged_probe(self, client: Client) -> None:
        forged = f"{paths.webhook_path()}p.{'0' * 32}.{'x' * 43}/"
        assert client.get(forged).status_code == 403

    def test_callback__probe_from_any_address(self, client: Client, settings: Any) -> None:
        """The response states whether a report from that address would be accepted."""
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "CALLBACK_ALLOWED_IPS": ["192.0.2.0/24"],
            "TRUSTED_PROXY_COUNT": 1,
        }
        for forwarded, allowed in (("192.0.2.7", True), ("203.0.113.66", False)):
            payload = client.get(probe_url()[0].removeprefix(BASE), headers={"X-Forwarded-For": forwarded}).json()
            assert (payload["address"], payload["allowed"], payload["forwarded"]) == (forwarded, allowed, 1)
