"""Find the messages to a number in every spelling in which a row may have it."""

from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import prepare_sms
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db
STORED = ["+37255500000", "37255500000", "0037255500000"]


@pytest.mark.parametrize(
    "number", [*STORED, "+372 5550 0000", "372-5550-0000", "(+372) 5550.0000", " +37255500000\n"]
)
def test_for_recipient__finds_every_spelling(number: str) -> None:
    rows = [SmsMessageFactory.create(recipient=stored) for stored in STORED]
    SmsMessageFactory.create(recipient="+37255500001")
    assert list(SmsMessage.objects.for_recipient(number).order_by("pk")) == rows
    assert list(SmsMessage.objects.filter(account="default").for_recipient(number).order_by("pk")) == rows


@pytest.mark.parametrize("number", ["", "no number", "+", "5550 0000"])
def test_for_recipient__finds_no_other_row(number: str) -> None:
    SmsMessageFactory.create(recipient="")
    SmsMessageFactory.create(recipient=STORED[0])
    assert not SmsMessage.objects.for_recipient(number).exists()


def test_for_recipient__pseudonym() -> None:
    message = SmsMessageFactory.create(recipient="erased-abcdefghijkl")
    assert SmsMessage.objects.for_recipient("erased-abcdefghijkl").get() == message


def test_for_recipient__national_number_of_the_region(settings: Any) -> None:
    pytest.importorskip("phonenumbers")
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DEFAULT_REGION": "EE"}
    message = prepare_sms("5550 0000")
    old = SmsMessageFactory.create(recipient="37255500000")
    international = SmsMessageFactory.create(recipient="+55500000")  # what the input was without the region
    assert message.recipient == "+37255500000"
    assert {*SmsMessage.objects.for_recipient("5550 0000")} == {message, old, international}
    assert {*SmsMessage.objects.for_recipient("+372 5550 0000")} == {message, old}
