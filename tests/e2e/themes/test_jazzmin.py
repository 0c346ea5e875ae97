"""The buttons on the page of a message with the theme django-jazzmin, which puts more blocks into its form."""

from __future__ import annotations

import requests

from tests.e2e.browser.shop import PASSWORD, USER, Shop
from tests.forms import Forms

SETTINGS = "tests.e2e.themes.jazzmin_settings"


def test_message_page__button_is_accepted(shop: Shop) -> None:
    with requests.Session() as session:
        login = session.get(f"{shop.url}/admin/", timeout=60)
        credentials = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": Forms(login.text).token()}
        session.post(login.url, credentials, timeout=60).raise_for_status()
        url = f"{shop.url}/admin/django_messente_dlr/smsmessage/7/change/"
        forms = Forms(session.get(url, timeout=60).text)
        assert forms.nested == []
        form = forms.buttons["resend"]
        data = {**forms.inputs[form], "action": "resend"}
        answer = session.post(shop.url + forms.actions[form], data, headers={"Referer": url}, timeout=60)
        assert answer.status_code == 200
        assert "Messente charges for it." in answer.text
