"""Does Messente know us? Asks the balance of each account and, where asked to, sends one SMS."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseTrouble

from django_messente_dlr import conf
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.doctor.findings import Finding, error, ok
from django_messente_dlr.messente.errors import MessenteError
from django_messente_dlr.sending import send_sms

TEXT = "This is a test: the SMS arrived, and its delivery report should follow."


def check_messente() -> Iterator[Finding]:
    """Yield a finding for each account: whether Messente takes its credentials, and what credit it has."""
    for name in conf.accounts():
        topic = f"account {name}"
        try:
            balance = client_for(name).get_balance()
        except MessenteError as exc:
            yield error(topic, f"The balance could not be asked for. {exc}", "Put that right: nothing can be sent.")
            continue
        if balance > 0:
            yield ok(topic, f"Messente takes its credentials; its credit is {balance} EUR.")
        else:
            yield error(topic, f"Its credit is {balance} EUR.", "Add credit: what is sent now is rejected.")


def send_one(to: str, *, account: str) -> Finding:
    """Send one real SMS, which costs money, and return what came of it.

    Args:
        to: the recipient's number in international format.
        account: the account to send from.
    """
    topic = f"sending from {account}"
    try:
        message = send_sms(to, TEXT, account=account)
    except (MessenteError, ValueError, ImproperlyConfigured) as exc:
        return error(topic, str(exc), "Nothing can be sent like this.")
    except DatabaseTrouble as exc:
        # What it says may name hosts and users.
        told = f"Its row could not be written ({type(exc).__name__})."
        return error(topic, told, "See what is said of the database.")
    told = f"Messente has taken the SMS and calls it {message.sms_unique_id}; its row is {message.pk}."
    return ok(topic, f"{told} Its page in the admin shows what becomes of it.")
