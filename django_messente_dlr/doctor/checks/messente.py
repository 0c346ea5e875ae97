"""Check the accounts at Messente: request each account's balance and, on demand, send one SMS."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Info
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError

from django_messente_dlr import conf
from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.exceptions import MessageNotSent, OutcomeUnknown
from django_messente_dlr.messente.errors import MessenteError
from django_messente_dlr.sending import send_sms

TEXT = "This is a test: the SMS arrived, and its delivery report should follow."


def check_messente() -> Iterator[CheckMessage]:
    """Yield one finding for each account: whether Messente accepts its credentials, and its credit."""
    for name in conf.accounts():
        topic = f"account {name}"
        try:
            balance = client_for(name).get_balance()
        except MessenteError as exc:
            yield Error(
                f"The request for the balance failed. {exc}",
                hint="Correct this first: no message can be sent.",
                obj=topic,
                id="django_messente_dlr.doctor.D011",
            )
            continue
        floor = conf.get_config().credit_floor
        if balance > floor:
            yield Info(
                f"Messente accepts the credentials. The credit is {balance} EUR.",
                obj=topic,
                id="django_messente_dlr.doctor.D012",
            )
        else:
            limit = f", and CREDIT_FLOOR is {floor} EUR" if floor else ""
            yield Error(
                f"The credit is {balance} EUR{limit}.",
                hint="Add credit: until then Messente rejects messages, and a credit hold lasts.",
                obj=topic,
                id="django_messente_dlr.doctor.D013",
            )


def send_one(to: str, *, account: str) -> CheckMessage:
    """Send one real SMS, which costs money, and return the result as a finding.

    Args:
        to: the recipient's number in international format.
        account: the name of the account to send from.
    """
    topic = f"sending from {account}"
    try:
        message = send_sms(to, TEXT, account=account)
    except (MessageNotSent, ValueError, ImproperlyConfigured) as exc:
        later = " Try again later." if isinstance(exc, MessageNotSent) and exc.temporary else ""
        return Error(str(exc), hint=f"The SMS was not sent.{later}", obj=topic, id="django_messente_dlr.doctor.D014")
    except OutcomeUnknown as exc:
        return Error(
            str(exc),
            hint=f"The SMS may have been sent, so do not send it again at once. Its row is {exc.sms_message.pk}: its "
            "page in the admin shows a report as soon as it arrives.",
            obj=topic,
            id="django_messente_dlr.doctor.D034",
        )
    except DatabaseError as exc:
        # The exception's text may contain hosts and users, so only its class is shown.
        return Error(
            f"The message's row could not be stored ({type(exc).__name__}).",
            hint="See the findings about the database.",
            obj=topic,
            id="django_messente_dlr.doctor.D015",
        )
    return Info(
        f"Messente accepted the SMS with the ID {message}; its row is {message.pk}. "
        "The message's page in the admin shows its status.",
        obj=topic,
        id="django_messente_dlr.doctor.D016",
    )
