"""Receive delivery reports: the callback view authenticates a request, parses its report and records it.

Messente sends a GET request with a signed token in its path, or a POST request with ``X-Messente-Signature``. The
response is 200 ``OK``, a 4xx with the reason, or a 503 that makes Messente send the report again.

The response is never a redirect. Messente treats every status from 200 to 399 as received (documentation:
"Omnichannel API"), so that a redirect would lose the report.
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
from django_messente_dlr.utils.times import to_utc
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
# The value that Django's never_cache sets. A constant is used because never_cache takes as long as parsing a report.
NO_CACHE = "max-age=0, no-cache, no-store, must-revalidate, private"
RETRY_LATER = "The report could not be stored. Send it again."


@csrf_exempt
@login_not_required
def callback(request: HttpRequest, token: str = "") -> HttpResponse:
    """Receive a delivery report from Messente.

    Args:
        request: the callback, a GET or a POST request.
        token: the token of the signed ``dlr-url``; "" for the account-wide webhook of the Omnichannel API.
    """
    if request.method not in METHODS:
        # Django's require_http_methods is not used: it logs the path, which contains the token.
        response = _respond(405, "Send a report by GET or by POST.")
        response["Allow"] = ", ".join(METHODS)
        return response
    try:
        return _receive(request, token)
    except CallbackRejected as exc:
        return _respond(exc.status, str(exc))
    except MalformedReport as exc:
        return _respond(400, f"This is not a delivery report: {exc}.")
    except ImproperlyConfigured as exc:
        logger.error("Callbacks cannot be received until the settings are corrected: %s", exc)  # noqa: TRY400
    except Exception as exc:  # noqa: BLE001 - it is logged
        # Django's response of 500 would log the path, which contains the token. Error reporters that record the
        # variables of a traceback would too. Therefore only the lines of the traceback are logged.
        lines = "".join(traceback.format_tb(exc.__traceback__))
        logger.error("A callback could not be processed (%s):\n%s", type(exc).__name__, lines)  # noqa: TRY400
    return _respond(503, RETRY_LATER)


# ATOMIC_REQUESTS is disabled for each database. A transaction around the view would delay the signals until the
# response is made, and would roll back the recorded report if the response is an error.
for _alias in connections:
    callback = transaction.non_atomic_requests(using=_alias)(callback)


def _receive(request: HttpRequest, token: str) -> HttpResponse:
    url_token = read_token(token)
    if isinstance(url_token, ProbeToken):
        return _respond_to_probe(request, url_token)
    identity = authenticate(request, url_token)
    return _record(_parse(request, identity), identity)


def _parse(request: HttpRequest, identity: CallbackIdentity) -> Report:
    if request.method == "POST":
        return parse_omnichannel(identity.body)
    report = parse_callback(request.META.get("QUERY_STRING", ""))
    if identity.message_key is None and not report.sms_unique_id:
        raise MalformedReport("it has no sms_unique_id, and the URL is not that of a message")
    return report


def _record(report: Report, identity: CallbackIdentity) -> HttpResponse:
    """Record a report and return the response. The frames from here on contain no token, so they may be logged."""
    try:
        receiving.record(report, account=identity.account, message_key=identity.message_key, keys=identity.keys)
    except receiving.ReportNotForMessage:
        return _respond(403, "The URL belongs to another message than the report.")
    except Exception:
        # Usually the database failed. Messente sends the report again after a 503, so nothing is lost.
        logger.exception("A delivery report could not be stored. The response of 503 makes Messente send it again.")
        return _respond(503, RETRY_LATER)
    try:
        accounts.record_callback(identity.account, now=timezone.now(), keys=[key for key in identity.keys if key])
    except DatabaseFailure:
        logger.warning(
            "The time of the last callback of account %s could not be stored. The report is stored.", identity.account
        )
    return _respond(200, "OK")


def _respond_to_probe(request: HttpRequest, probe: ProbeToken) -> HttpResponse:
    """Return how a request of ``messente_doctor`` arrived, with a proof that this site received it. Store nothing."""
    verify_probe(request, probe)
    address = client_ip.client_ip(request.META)
    return JsonResponse(
        {
            "proof": tokens.sign_probe(probe),
            "address": str(address or ""),
            "allowed": client_ip.is_allowed(address),
            "forwarded": len(client_ip.forwarded_for(request.META)),
            "secure": request.is_secure(),
            "now": to_utc(timezone.now()).isoformat(),
        },
        headers={"Cache-Control": NO_CACHE},
    )


def _respond(status: int, text: str) -> HttpResponse:
    response = HttpResponse(
        text,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": NO_CACHE},
    )
    if status != 200:
        logger.warning("The response to a delivery report was %s: %s", status, text)
        # Django logs the path of each response of 400 or more, and the path contains the secret token. Django's log
        # functions skip a response with this attribute.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
