"""The probe of ``messente_doctor``: answered by who has our keys, and never stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_messente_dlr.callbacks import tokens
from django_messente_dlr.callbacks.tokens import ProbeToken, check_probe, probe_url, read_token, sign_probe
from django_messente_dlr.messente.signatures import HEADER, sign
from django_messente_dlr.models import Account, DeliveryReport

BASE = "https://shop.example.com"


def token_of(url: str) -> str:
    return url.removeprefix(f"{BASE}/messente/dlr/").rstrip("/")


def test_a_probe_speaks_for_nothing() -> None:
    url, probe = probe_url()
    assert read_token(token_of(url)) == probe
    assert isinstance(read_token(token_of(url)), ProbeToken)


def test_each_probe_is_its_own() -> None:
    assert probe_url()[1] != probe_url()[1]


@pytest.mark.parametrize("make", [sign_probe, lambda probe: token_of(probe_url()[0]), lambda probe: probe.nonce])
def test_a_proof_is_no_token_and_a_token_no_proof(make: Any) -> None:
    probe = probe_url()[1]
    assert check_probe(make(probe), probe) is (make is sign_probe)
    assert read_token(sign_probe(probe)) is None
    assert not check_probe(sign_probe(probe), ProbeToken("0" * 32))


@pytest.mark.parametrize("proof", ["", ".", "x" * 10_000, "õ.õ", "\ud800", "\0"])
def test_anything_else_is_no_proof(proof: str) -> None:
    assert not check_probe(proof, probe_url()[1])


def test_a_proof_by_an_older_key_is_one(settings: Any) -> None:
    probe = probe_url()[1]
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["old"]}
    proof = sign_probe(probe)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new", "old"]}
    assert check_probe(proof, probe)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new"]}
    assert not check_probe(proof, probe)


@pytest.mark.django_db
class TestTheDoor:
    def test_a_probe_by_get_is_proved_and_not_stored(self, client: Client) -> None:
        url, probe = probe_url()
        answer = client.get(f"{url.removeprefix(BASE)}?stat=DELIVRD&sms_unique_id=an-id").json()
        assert check_probe(answer["proof"], probe)
        assert (answer["address"], answer["allowed"], answer["forwarded"]) == ("127.0.0.1", True, 0)
        assert not DeliveryReport.objects.exists()
        assert not Account.objects.exists()

    @pytest.mark.parametrize(("password", "status"), [("a-password", 200), ("x", 403)])
    def test_a_probe_by_post_needs_an_accounts_signature(self, client: Client, password: str, status: int) -> None:
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

    def test_a_probe_that_we_did_not_sign_is_refused(self, client: Client) -> None:
        forged = f"{tokens.webhook_path()}p.{'0' * 32}.{'x' * 43}/"
        assert client.get(forged).status_code == 403

    def test_a_probe_is_answered_from_anywhere_and_tells_whether_a_report_would_be(
        self, client: Client, settings: Any
    ) -> None:
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "CALLBACK_ALLOWED_IPS": ["192.0.2.0/24"],
            "TRUSTED_PROXY_COUNT": 1,
        }
        for forwarded, allowed in (("192.0.2.7", True), ("203.0.113.66", False)):
            answer = client.get(probe_url()[0].removeprefix(BASE), headers={"X-Forwarded-For": forwarded}).json()
            assert (answer["address"], answer["allowed"], answer["forwarded"]) == (forwarded, allowed, 1)
