"""The callback door: a plain Django view that verifies, then parses, then has the ledger write.

In comes Messente's GET with our signed token in its path, or its POST with ``X-Messente-Signature``. Out goes a
plain 200 ``OK``, a 4xx that says what was wrong, or a 503 that makes Messente come again. Never a redirect: by
Messente's documentation («Omnichannel API») any answer from 200 to 399 counts as received, so that one would lose
the report silently.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseFailure
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from django_messente_dlr import accounts, callbacks, conf, ledger
from django_messente_dlr.messente import signatures
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.readers import read_callback, read_omnichannel
from django_messente_dlr.messente.reports import Report

logger = logging.getLogger(__name__)

# An Omnichannel callback is some 500 bytes; nothing of Messente's comes near this.
MAX_BODY = 64 * 1024
METHODS = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class _Verified:
    """Who is speaking: an account and, where the URL names one, a message."""

    account: str
    message_pk: int | None


class _Refusal(Exception):
    """Ends the request with a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@csrf_exempt
@login_not_required
@never_cache
def callback(request: HttpRequest, token: str = "") -> HttpResponse:
    """Take a delivery report from Messente.

    Args:
        request: Messente's request.
        token: the token of the signed ``dlr-url``; "" for Omnichannel's account-wide webhook.
    """
    if request.method not in METHODS:
        # Not by Django's decorator: that one logs the path, and the path holds the token.
        response = _answer(405, "A report comes by GET or by POST.")
        response["Allow"] = ", ".join(METHODS)
        return response
    try:
        verified = _verify(request, token)
        report = _parse(request)
        ledger.record(report, account=verified.account, named=verified.message_pk)
    except _Refusal as refusal:
        return _answer(refusal.status, str(refusal))
    except MalformedReport as exc:
        return _answer(400, f"This is not a delivery report: {exc}.")
    except ledger.ForeignReport:
        return _answer(403, "This URL does not speak for that message.")
    except (DatabaseFailure, ledger.Contended):
        # Whatever the database's trouble is, Messente has the report still, and will bring it again.
        logger.exception("A delivery report could not be stored; Messente was told to bring it again.")
        return _answer(503, "The report could not be stored now. Bring it again.")
    _note(verified.account)
    return _answer(200, "OK")


# One decorator for each database that has ATOMIC_REQUESTS: a transaction around the view would hold our signals back
# until after the answer was made, and would undo what we have recorded if the answer is an error.
for _alias in connections:
    callback = transaction.non_atomic_requests(using=_alias)(callback)


def _note(account: str) -> None:
    try:
        accounts.note_callback(account, now=timezone.now())
    except DatabaseFailure:  # the report is stored: that its time was not noted is no reason to have it brought again
        logger.warning("The time of the last callback could not be noted.", exc_info=True)


def _verify(request: HttpRequest, token: str) -> _Verified:
    claims = callbacks.read_token(token) if token else None
    if token and claims is None:
        raise _Refusal(403, "The URL was not signed by this site.")
    if request.method == "POST":
        account = _signer_of(request)
        if claims is not None and claims.account != account:
            raise _Refusal(403, "The URL is another account's than the signature.")
        return _Verified(account, claims.message_pk if claims else None)
    if claims is None:
        raise _Refusal(403, "A report by GET needs a signed URL.")
    if claims.message_pk is None and claims.account not in conf.accounts():
        raise _Refusal(403, "The URL is that of an account which is not in use any more.")
    return _Verified(claims.account, claims.message_pk)


def _signer_of(request: HttpRequest) -> str:
    passwords = {name: account.passwords for name, account in conf.accounts().items()}
    account = signatures.find_account(_body(request), request.headers.get(signatures.HEADER, ""), passwords)
    if account is None:
        raise _Refusal(403, f"{signatures.HEADER} is missing or not by an account of this site.")
    return account


def _body(request: HttpRequest) -> bytes:
    try:
        told = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        told = 0
    try:
        body = b"" if told > MAX_BODY else request.body
    except RequestDataTooBig:
        told = MAX_BODY + 1
    except UnreadablePostError:
        raise _Refusal(400, "The body broke off.") from None
    if told > MAX_BODY or len(body) > MAX_BODY:
        raise _Refusal(413, f"The body is longer than {MAX_BODY} bytes.")
    return body


def _parse(request: HttpRequest) -> Report:
    if request.method == "POST":
        return read_omnichannel(request.body)
    return read_callback(request.META.get("QUERY_STRING", ""))


def _answer(status: int, sentence: str) -> HttpResponse:
    response = HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
    if status != 200:
        logger.warning("A delivery report was answered %s: %s", status, sentence)
        # Django would log the path of a response of 400 or more, and with it the token that is its secret.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
