"""Use the installed package in the project of the current directory: send, receive a callback, read the admin.

`__main__` runs this file as a script in an environment that contains Django and the wheel, and nothing of this
repository.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import django

# The directory of the script is on the path. The project is in the current directory.
sys.path[0] = str(Path.cwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse

import django_messente_dlr
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback

MISSING = {
    "django_messente_dlr.api.urls": "django-messente-dlr[api]",
    "django_messente_dlr.contrib.celery": "django-messente-dlr[celery]",
    "django_messente_dlr.testing.factories": "django-messente-dlr[testing]",
}


def check_environment() -> None:
    """Check that the package is the wheel's, and that no extra is installed."""
    assert Path(django_messente_dlr.__file__).is_relative_to(sys.prefix), django_messente_dlr.__file__
    extras = ("rest_framework", "django_filters", "celery", "tqdm", "factory", "pytest")
    assert [name for name in extras if find_spec(name)] == []
    for module, remedy in MISSING.items():
        assert remedy in import_error(module), module


def import_error(module: str) -> str:
    """Return the message of the error that an import raises; "" if it raises none."""
    try:
        import_module(module)
    except ImportError as exc:
        return str(exc)
    return ""


def send() -> SmsMessage:
    """Send a message to a local Messente, and return it after its report."""
    with (
        Sandbox({"shop": "a-password"}) as sandbox,
        override_settings(MESSENTE_DLR={**settings.MESSENTE_DLR, "API_HOSTS": [sandbox.url]}),
    ):
        message = send_sms("+37255500000", "Your parcel is here", sender="Shop")
        assert sandbox.messages[0].text == "Your parcel is here"
    assert message.status == "sent", message.status
    assert simulate_callback(message).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered", message.status
    return message


def read_admin(message: SmsMessage) -> None:
    """Read each page of the admin."""
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    site = "admin:django_messente_dlr"
    lists = ("smsmessage", "deliveryreport", "account", "messagestatistics")
    for url in (reverse("admin:index"), *(reverse(f"{site}_{name}_changelist") for name in lists)):
        assert client.get(url).status_code == 200, url
    page = client.get(reverse(f"{site}_smsmessage_change", args=[message.pk]))
    assert page.status_code == 200
    assert "Delivered" in page.content.decode()


if __name__ == "__main__":
    check_environment()
    read_admin(send())
    print(f"The wheel of version {django_messente_dlr.__version__} works with Django {django.__version__}.")
