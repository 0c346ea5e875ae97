"""What a newcomer reads: each error names the value, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.exceptions import RecipientNotAllowed
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import Viber, message_parts, prepare_sms, send_message, send_sms

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
NO_NUMBER = '"{}" is not a phone number in international format. '
NAIVE = datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def calling(function: Any, *arguments: Any, **options: Any) -> Callable[[], object]:
    """Return a call whose arguments have types that mypy refuses."""
    return partial(function, *arguments, **options)


# The number, and the sentence. {} is the start that most of them have, with the number.
NUMBERS: list[tuple[Any, str]] = [
    (None, NO_NUMBER.format(None) + 'Pass the number as text, such as "+37255500000".'),
    ("", NO_NUMBER.format("") + "It has no digits. Write one such as +37255500000."),
    (
        "no number",
        NO_NUMBER.format("no number")
        + ("The character 'n' at position 1 is not part of one. Write digits after +, as in +37255500000."),
    ),
    (
        "+3725550000O",
        NO_NUMBER.format("+3725550000O")
        + ("The character 'O' at position 12 is not part of one. Write digits after +, as in +37255500000."),
    ),
    (
        "+37255500000 +37255500001",
        NO_NUMBER.format("+37255500000 +37255500001")
        + (
            "The character '+' at position 14 is not part of one. Write + at the beginning only, and pass one number."
        ),
    ),
    (
        "+372555٠0000",
        NO_NUMBER.format("+372555٠0000") + "The character '٠' at position 8 is not part of one. Write 0 instead.",
    ),
    (
        "37255500000.0",
        ('"37255500000.0" is a number with a fraction. Pass the phone number as text, such as "+37255500000".'),
    ),
    (
        37255500000.0,
        (
            "37255500000.0 is not a phone number but a float. Pass the number as text, such as "
            '"+37255500000": other types lose digits or add some.'
        ),
    ),
    (
        b"+37255500000",
        (
            "b'+37255500000' is not a phone number but a bytes. Pass the number as text, such as "
            '"+37255500000": other types lose digits or add some.'
        ),
    ),
    (
        -1,
        (
            "-1 is not a phone number: it is below 0 or has more than 15 digits. Pass the number as "
            'text, such as "+37255500000".'
        ),
    ),
    (
        "+44 (0)20 7946 0000",
        (
            '"+44 (0)20 7946 0000" contains "(0)", which is not dialled after a country code. Remove '
            "it, or write the number as it is dialled from another country."
        ),
    ),
    (
        "0037255500000",
        NO_NUMBER.format("0037255500000")
        + ('"00" is the prefix for calls to other countries in some countries only. Write "+37255500000".'),
    ),
    (
        "055500000",
        NO_NUMBER.format("055500000")
        + (
            "It begins with 0, as national numbers do. Write it as it is dialled from another "
            "country, such as +37255500000, or set DEFAULT_REGION."
        ),
    ),
    (
        "+372555",
        NO_NUMBER.format("+372555") + "It has only 6 digits. Write + and the country code before the number.",
    ),
    (
        "5550 0000",
        NO_NUMBER.format("5550 0000")
        + (
            'Without "+", a number of less than 11 digits may be a national one. If +55 is its '
            'country code, write "+55500000".'
        ),
    ),
    (
        "+3725550000000000",
        NO_NUMBER.format("+3725550000000000")
        + "It has 16 digits, and 15 are the most. Pass one number, such as +37255500000.",
    ),
    (
        "+999 5550 0000",
        NO_NUMBER.format("+999 5550 0000")
        + "No country has the code +999. Write + and the country code before the number.",
    ),
    (
        "+1 202 555 010",
        NO_NUMBER.format("+1 202 555 010")
        + (
            "A number with the country code +1 has 10 digits after +1, and its area code does not "
            "begin with 0 or 1. Write + and the country code before the number."
        ),
    ),
]

# The call, the error, and the sentence.
VALUES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (calling(send_sms, NUMBER, ""), ValueError, "The text is empty. Pass the text to send."),
    (
        calling(send_sms, NUMBER, b"Tere"),
        TypeError,
        "The text must be a text (str), not bytes. Pass .decode() of it.",
    ),
    (
        calling(send_sms, NUMBER, "a\0b"),
        ValueError,
        "The text contains a NUL character at index 1, which cannot be sent. Remove it.",
    ),
    (
        calling(send_sms, NUMBER, "\ud83d"),
        ValueError,
        (
            "The text contains half a character (a lone surrogate) at index 0, which cannot be sent. "
            "Truncate texts between characters."
        ),
    ),
    (
        calling(send_sms, NUMBER, "a" * 1531),
        ValueError,
        (
            "The text has 11 parts as an SMS: 1531 characters in GSM-7. The setting MAX_PARTS allows "
            "10, which is 1530 characters. Shorten the text, or increase MAX_PARTS: each part is "
            "charged for."
        ),
    ),
    (
        calling(send_sms, NUMBER, "Tere", sender="x" * 33),
        ValueError,
        'The sender "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is longer than 32 characters. Shorten it.',
    ),
    (
        calling(send_sms, NUMBER, "Tere", sender=17),
        TypeError,
        "sender must be a text (str), not int. Pass str() of it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", reference="x" * 129),
        ValueError,
        (
            "The reference "
            '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is '
            "longer than 128 characters. Shorten it."
        ),
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata="order"),
        ValueError,
        'metadata is of type str. Pass a dictionary, such as {"order": 17}.',
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata={17: "order"}),
        ValueError,
        "metadata has the key 17, which is not a text. Use str() of it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata={"price": Decimal(1)}),
        ValueError,
        "metadata['price'] is of type Decimal, which is not JSON. Store str() of it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata={"price": float("nan")}),
        ValueError,
        "metadata['price'] is nan, which JSON does not have. Store None or a text.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata={"note": "a\0b"}),
        ValueError,
        "metadata['note'] contains a NUL character at index 1, which cannot be sent. Remove it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", validity="60"),
        TypeError,
        "validity must be a whole number of minutes (int) or a timedelta, not str.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", validity=0),
        ValueError,
        "validity must be from 1 minute to a year, not 0 minutes.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", validity=timedelta(seconds=90)),
        ValueError,
        "validity must be a whole number of minutes, not 0:01:30. Round it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", send_at=60),
        TypeError,
        ("send_at must be an aware datetime, not int. For a delay, pass timezone.now() plus the delay."),
    ),
    (
        calling(send_sms, NUMBER, "Tere", send_at=NAIVE),
        ValueError,
        ("send_at has no time zone. Pass an aware datetime, such as django.utils.timezone.make_aware(send_at)."),
    ),
    (
        calling(send_sms, NUMBER, "Tere", autoconvert=True),
        TypeError,
        'autoconvert must be a text (str), not bool. Pass "on" or "off".',
    ),
    (
        calling(send_sms, NUMBER, "Tere", account="shop"),
        ImproperlyConfigured,
        (
            "MESSENTE_DLR has no account 'shop' (configured: default, marketing). Add USERNAME and "
            'PASSWORD to MESSENTE_DLR, or an entry "shop" to its ACCOUNTS.'
        ),
    ),
    (
        calling(send_sms, NUMBER, "Tere", time_to_send=1),
        TypeError,
        'send_sms() has no argument "time_to_send". Pass send_at, an aware datetime.',
    ),
    (
        calling(send_message, NUMBER, "Tere"),
        TypeError,
        "channels must be a list such as [Viber(…), Sms(…)], not str. For a text, call send_sms.",
    ),
    (
        calling(send_message, NUMBER, []),
        ValueError,
        "channels is empty. Pass at least one channel, such as [Sms(text)].",
    ),
    (
        calling(send_message, NUMBER, ["Tere"]),
        TypeError,
        (
            "Channel 1 is a str. Pass Viber, WhatsApp, Rcs or Sms of django_messente_dlr.sending, or "
            "an object of messente-api: their to_dict() returns a dict."
        ),
    ),
    (calling(message_parts, ""), ValueError, "The text is empty. Pass the text of the SMS."),
    (calling(message_parts, b"Tere"), TypeError, "The text must be a text (str), not bytes. Pass .decode() of it."),
    (
        calling(send_sms, NUMBER, "Tere", metadata={"raw": b"x"}),
        ValueError,
        "metadata['raw'] is of type bytes, which is not JSON. Store .decode() or .hex() of it.",
    ),
    (
        calling(send_sms, NUMBER, "Tere", metadata={"tags": {1}}),
        ValueError,
        "metadata['tags'] is of type set, which is not JSON. Store a list.",
    ),
    (
        calling(send_message, NUMBER, [Viber("Tere", extra={"at": date(2030, 1, 1)})]),
        TypeError,
        ("Channel 1 has a value that is not JSON: Object of type date is not JSON serializable. Pass its text."),
    ),
]

# The settings, the call, the error, and the sentence.
SETTINGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"ALLOWED_RECIPIENTS": ["+372*"]},
        RecipientNotAllowed,
        (
            "The recipient is not in ALLOWED_RECIPIENTS, so nothing was sent. Add the number or its "
            "prefix to the setting, "
            "or set OVERRIDE_RECIPIENT to get the messages on a phone of your own."
        ),
    ),
    (
        {"ALLOWED_RECIPIENTS": ["+44*"], "OVERRIDE_RECIPIENT": NUMBER},
        RecipientNotAllowed,
        (
            "The number of OVERRIDE_RECIPIENT is not in ALLOWED_RECIPIENTS, so nothing was sent. Add it to "
            "ALLOWED_RECIPIENTS, or remove ALLOWED_RECIPIENTS."
        ),
    ),
    *(
        (
            {"ALLOWED_RECIPIENTS": value},
            ImproperlyConfigured,
            (
                "MESSENTE_DLR: ALLOWED_RECIPIENTS must be a list of phone numbers in international format, such as "
                "'+37255500000', and of prefixes that end with *, such as '+372555*'."
            ),
        )
        for value in ("+372*", ["*"], [37255500000], ["+372", "0*"])
    ),
    *(
        (
            {"OVERRIDE_RECIPIENT": value},
            ImproperlyConfigured,
            "MESSENTE_DLR: OVERRIDE_RECIPIENT must be one phone number, such as '+37255500000'.",
        )
        for value in ("+372*", 37255500000, ["+37255500000"], "055500000")
    ),
    ({"MAX_PARTS": 0}, ImproperlyConfigured, "MESSENTE_DLR: MAX_PARTS must be a whole number above 0."),
    (
        {"BACKEND": "Backend"},
        ImproperlyConfigured,
        "MESSENTE_DLR: BACKEND must be a dotted path, such as 'shop.sms.Backend'.",
    ),
    (
        {"BACKEND": "shop.sms.Backend"},
        ImproperlyConfigured,
        "MESSENTE_DLR: BACKEND 'shop.sms.Backend' cannot be imported: No module named 'shop.sms'. Correct the path.",
    ),
    (
        {"BACKEND": "decimal.Decimal"},
        ImproperlyConfigured,
        (
            "MESSENTE_DLR: BACKEND 'decimal.Decimal' is not a subclass of "
            "django_messente_dlr.backends.base.BaseBackend."
            " Derive the class from it."
        ),
    ),
    (
        {"DEFAULT_REGION": "EST"},
        ImproperlyConfigured,
        'MESSENTE_DLR: DEFAULT_REGION must be the code of a country in two letters, such as "EE".',
    ),
]


@pytest.fixture(autouse=True)
def _without_phonenumbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the sentences of this app: the package has others for some numbers."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)


@pytest.mark.parametrize(("to", "sentence"), NUMBERS, ids=ascii)
def test_number__what_to_write_instead(to: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole sentence is compared
        send_sms(to, "Tere")
    assert str(raised.value) == sentence
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize(("call", "error", "sentence"), VALUES, ids=range(len(VALUES)))
def test_value__what_to_write_instead(call: Callable[[], object], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == sentence
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize(("values", "error", "sentence"), SETTINGS, ids=range(len(SETTINGS)))
def test_setting__what_to_write_instead(
    values: dict[str, Any], error: type[Exception], sentence: str, settings: Any
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}
    with pytest.raises(error) as raised:
        send_sms("+44 20 7946 0000", "Tere")
    assert str(raised.value) == sentence


def test_prepare_sms__override(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "OVERRIDE_RECIPIENT": NUMBER}
    with pytest.raises(RecipientNotAllowed) as raised:
        prepare_sms(NUMBER)
    assert str(raised.value) == (
        "OVERRIDE_RECIPIENT is set, but it applies only to messages that this app sends. Send with send_sms or "
        "send_message here, or remove the setting and list the numbers in ALLOWED_RECIPIENTS."
    )
