"""Texts of errors are stored in the same form whatever language is active, and are shown in the user's language."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from django.test import Client
from django.utils import timezone, translation

from django_messente_dlr.exceptions import MessageNotSent, RequestRefused
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.models.error_texts import NO_ACCOUNT, NO_ID, NO_REPORT
from django_messente_dlr.polling import Poller
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.admin.pages import act, html, list_url, page_url
from tests.unit.polling.rows import WINDOW

pytestmark = pytest.mark.django_db(transaction=True)
LANGUAGES = ["en", "et", "lv", "ru", "de", "fr"]
HOST = "http://127.0.0.1:9"
REFUSED = {
    "en": 'Messente answered "ERROR 111". The sender name is not activated for this account. Verify the sender name',
    "de": "Messente hat mit „ERROR 111“ geantwortet. Der Absendername",
    "ru": "Messente ответила: \u00abERROR 111\u00bb. Имя отправителя",
}


@pytest.fixture(autouse=True)
def _new_client(settings: Any) -> None:
    """Use a client that skips no host because of the failures of another test."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": "https://shop.example.org"}


def send_and_fail(language: str, answer: str = "ERROR 111") -> Any:
    """Send a message as a visitor with this language, and return the row that stores the failure."""
    with translation.override(language), responses.RequestsMock() as mock:
        mock.post(f"{HOST}/send_sms/", answer)
        with pytest.raises(MessageNotSent) as raised:
            send_sms("+37255500000", "Hello", sender="Shop")
    return raised.value.sms_message


@pytest.mark.parametrize("answer", ["ERROR 111", "ERROR 101", "ERROR 999", "FAILED 209"])
def test_send_sms__stores_the_same_text_in_every_language(answer: str) -> None:
    messages = [send_and_fail(language, answer) for language in LANGUAGES]
    assert answer in messages[0].error_text
    assert len({message.error_text for message in messages}) == 1
    assert len({str(message.reports.get().payload) for message in messages}) == 1


def test_poll__stores_the_same_error_in_every_language() -> None:
    stored = []
    for language in LANGUAGES:
        message = SmsMessageFactory.create(next_poll_at=timezone.now())
        with translation.override(language), responses.RequestsMock() as mock:
            mock.post(f"{HOST}/get_dlr_response/", "ERROR 101")
            Poller().run()
        stored.append(Account.objects.get(name="default").last_poll_error)
        Account.objects.all().delete()
        message.delete()
    assert set(stored) == {"ERROR 101"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_unresolved__text_is_stored_in_english(language: str) -> None:
    message = SmsMessageFactory.create(queued=True, next_poll_at=timezone.now())
    SmsMessage.objects.update(send_at=message.created_at - WINDOW)
    with translation.override(language):
        Poller().run()
    message.refresh_from_db()
    assert (message.status, message.error_text) == ("unresolved", NO_ID)


@pytest.mark.parametrize("language", REFUSED)
def test_failed_message__is_shown_in_the_language_of_the_user(
    admin_client: Client, settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = language
    message = send_and_fail("fr")
    shown = REFUSED[language].replace('"', "&quot;")
    assert html(admin_client, page_url(message)).count(shown) >= 2  # the error, and the response in the timeline
    exported = b"".join(act(admin_client, "export", message).streaming_content).decode()  # type: ignore[attr-defined]
    assert REFUSED[language].replace('"', '""') in exported


@pytest.mark.parametrize("language", REFUSED)
@pytest.mark.parametrize("error", ["ERROR 101", "HTTP 401"])
def test_poll_error__is_shown_in_the_language_of_the_user(
    admin_client: Client, settings: Any, language: str, error: str
) -> None:
    settings.LANGUAGE_CODE = language
    account = AccountFactory.create(last_poll_error=error)
    with translation.override(language):
        meaning = str(ResponseCode.WRONG_CREDENTIALS.meaning)
    assert account.last_poll_error == error
    pages = [list_url(Account), page_url(account)]
    assert [meaning in html(admin_client, page) for page in pages] == [True, True]


@pytest.mark.parametrize("text", [NO_REPORT, NO_ID, NO_ACCOUNT])
@pytest.mark.parametrize("language", LANGUAGES)
def test_error_description__translates_the_texts_of_this_app(language: str, text: str) -> None:
    message = SmsMessage(error_text=text)
    with translation.override(language):
        assert (message.error_description == text) is (language == "en")


@pytest.mark.parametrize("text", ["", "Unknown subscriber", "a\r\nb", "Status", "ERROR", "ERROR 999"])
def test_error_description__other_texts_are_unchanged(text: str) -> None:
    with translation.override("de"):
        assert SmsMessage(error_text=text).error_description == text


def test_exception__is_in_the_active_language() -> None:
    error = RequestRefused("ERROR 111")
    for language, text in REFUSED.items():
        with translation.override(language):
            assert str(error).startswith(text)
    with translation.override("de"):
        assert str(RequestRefused("ERROR 999")).endswith(" Der Code ist unbekannt.")
