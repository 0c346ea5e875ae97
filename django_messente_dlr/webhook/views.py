"""The callback door: a plain Django view that verifies, then parses, then has the ledger write.

In comes Messente's GET with our signed token in its path, or its POST with ``X-Messente-Signature``. Out goes a
plain 200 ``OK``, a 4xx that says what was wrong, or a 503 that makes Messente come again. Never a redirect: by
Messente's documentation («Omnichannel API») any answer from 200 to 399 counts as received, so that one would lose
the report silently.
"""

from __future__ import annotations

import logging
import traceback

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_messente_dlr import accounts, receiving
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.callbacks.tokens import ProbeToken
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.parsers import parse_callback, parse_omnichannel
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.webhook import client_ip
from django_messente_dlr.webhook.verification import (
    CallbackIdentity,
    CallbackRejected,
    authenticate,
    read_token,
    verify_probe,
)

logger = logging.getLogger(__name__)

METHODS = ("GET", "POST")
# What Django's never_cache writes, which takes as long over it as the reading of a report.
NOT_KEPT = "max-age=0, no-cache, no-store, must-revalidate, private"
LATER = "The report could not be stored now. Bring it again."


@csrf_exempt
@login_not_required
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
        return _take(request, token)
    except CallbackRejected as refusal:
        return _answer(refusal.status, str(refusal))
    except MalformedReport as exc:
        return _answer(400, f"This is not a delivery report: {exc}.")
    except ImproperlyConfigured as exc:
        logger.error("Callbacks cannot be taken until the settings are put right: %s", exc)  # noqa: TRY400
    except Exception as exc:  # noqa: BLE001 - is logged
        # Django would answer 500 and log the path, and with it the token. So would a traceback's variables.
        lines = "".join(traceback.format_tb(exc.__traceback__))
        logger.error("A callback could not be read (%s):\n%s", type(exc).__name__, lines)  # noqa: TRY400
    return _answer(503, LATER)


# One decorator for each database that has ATOMIC_REQUESTS: a transaction around the view would hold our signals back
# until after the answer was made, and would undo what we have recorded if the answer is an error.
for _alias in connections:
    callback = transaction.non_atomic_requests(using=_alias)(callback)


def _take(request: HttpRequest, token: str) -> HttpResponse:
    claims = read_token(token)
    if isinstance(claims, ProbeToken):
        return _answer_probe(request, claims)
    identity = authenticate(request, claims)
    return _record(_parse(request, identity), identity)


def _parse(request: HttpRequest, identity: CallbackIdentity) -> Report:
    if request.method == "POST":
        return parse_omnichannel(identity.body)
    report = parse_callback(request.META.get("QUERY_STRING", ""))
    if identity.message_pk is None and not report.sms_unique_id:
        raise MalformedReport("it has no sms_unique_id, and the URL is not that of a message")
    return report


def _record(report: Report, identity: CallbackIdentity) -> HttpResponse:
    """Have the report written, and answer. Whatever is logged from here has no token in its frames."""
    try:
        receiving.record(report, account=identity.account, message_pk=identity.message_pk, keys=identity.keys)
    except receiving.ReportNotForMessage:
        return _answer(403, "This URL does not speak for that message.")
    except Exception:
        # Whatever the trouble is, most likely the database's, Messente has the report still and will bring it again.
        logger.exception("A delivery report could not be stored; Messente was told to bring it again.")
        return _answer(503, LATER)
    try:
        accounts.record_callback(identity.account, now=timezone.now(), keys=[key for key in identity.keys if key])
    except DatabaseFailure:
        logger.warning("A callback of account %s could not be noted; its report is stored.", identity.account)
    return _answer(200, "OK")


def _answer_probe(request: HttpRequest, probe: ProbeToken) -> HttpResponse:
    """Tell ``messente_doctor`` that it has reached us and how its request looked from here; store nothing."""
    verify_probe(request, probe)
    address = client_ip.client_ip(request.META)
    return JsonResponse(
        {
            "proof": tokens.sign_probe(probe),
            "address": str(address or ""),
            "allowed": client_ip.is_allowed(address),
            "forwarded": len(client_ip.forwarded_for(request.META)),
            "secure": request.is_secure(),
            "now": timezone.now().isoformat(),
        },
        headers={"Cache-Control": NOT_KEPT},
    )


def _answer(status: int, sentence: str) -> HttpResponse:
    response = HttpResponse(
        sentence,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": NOT_KEPT},
    )
    if status != 200:
        logger.warning("A delivery report was answered %s: %s", status, sentence)
        # Django would log the path of a response of 400 or more, and with it the token that is its secret.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
