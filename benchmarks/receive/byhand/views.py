"""One view for each common way to receive a report; each docstring names what the view omits.

The README of the benchmarks lists what all of them omit.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from anymail.signals import tracking
from django.db import connection, transaction
from django.db.models import Q
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.receive.byhand.models import Log, Sms

STATUSES = {
    "DELIVRD": ("delivered", 50),
    "UNDELIV": ("failed", 30),
    "REJECTD": ("rejected", 40),
    "ACCEPTD": ("sent", 10),
}
ONE_STATEMENT = """
WITH logged AS (
    INSERT INTO byhand_log (sms_unique_id, stat, err, received_at, payload, fingerprint)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (fingerprint) DO NOTHING RETURNING sms_unique_id
)
UPDATE byhand_sms SET status = %s, rank = %s, stat = %s, err = %s, finalised_at = %s
FROM logged WHERE byhand_sms.sms_unique_id = logged.sms_unique_id AND rank < %s
"""


def answer_only(request: HttpRequest) -> HttpResponse:
    """a: return OK and do nothing."""
    return _ok()


def raw_sql(request: HttpRequest) -> HttpResponse:
    """c: run two SQL statements in one transaction."""
    log_values, update_values = _values(request.GET)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO byhand_log (sms_unique_id, stat, err, received_at, payload, fingerprint)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            log_values,
        )
        cursor.execute(
            f"UPDATE byhand_sms SET status = %s, {_rank()} = %s, stat = %s, err = %s, finalised_at = %s"
            f" WHERE sms_unique_id = %s AND {_rank()} < %s",
            [*update_values[:-1], log_values[0], update_values[-1]],
        )
    return _ok()


def one_statement(request: HttpRequest) -> HttpResponse:
    """c2: do the same with one statement, which only PostgreSQL supports."""
    log_values, update_values = _values(request.GET)
    with connection.cursor() as cursor:
        cursor.execute(ONE_STATEMENT, [*log_values, *update_values])
    return _ok()


def get_and_save(request: HttpRequest) -> HttpResponse:
    """d: do what Messente's documentation suggests: no log, no check for duplicates or for the order of reports."""
    sms = Sms.objects.get(sms_unique_id=request.GET["sms_unique_id"])
    sms.stat = request.GET["stat"]
    sms.status, sms.rank = STATUSES[sms.stat]
    sms.err = int(request.GET["err"] or 0)
    sms.finalised_at = timezone.now()
    sms.save()
    return _ok()


@receiver(tracking)
def on_tracking(sender: Any, event: Any, **kwargs: Any) -> None:
    """e: receive the signal of Anymail's view: no log, no check for duplicates or for the order of reports."""
    Sms.objects.filter(sms_unique_id=event.message_id).update(
        status="delivered", rank=50, stat=event.event_type, finalised_at=timezone.now()
    )


class SerializerView(APIView):
    """f: do the same as c with Django REST framework and the ORM."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        serializer = ReportSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        _record_with_orm(serializer.validated_data)
        return Response("OK", status=status.HTTP_200_OK)


class ReportSerializer(serializers.Serializer[Any]):
    sms_unique_id = serializers.CharField(max_length=128)
    stat = serializers.ChoiceField(choices=list(STATUSES))
    err = serializers.CharField(allow_blank=True, required=False, default="")


def plain_orm(request: HttpRequest) -> HttpResponse:
    """g: do the same as c with a plain Django view and the ORM."""
    _record_with_orm(request.GET)
    return _ok()


def _record_with_orm(report: Any) -> None:
    stat = report["stat"]
    new_status, rank = STATUSES[stat]
    err = int(report["err"] or 0)
    now = timezone.now()
    with transaction.atomic():
        Log.objects.create(
            sms_unique_id=report["sms_unique_id"],
            stat=stat,
            err=err,
            received_at=now,
            payload={"sms_unique_id": report["sms_unique_id"], "stat": stat, "err": report["err"]},
            fingerprint=_fingerprint(report["sms_unique_id"], stat, err),
        )
        Sms.objects.filter(Q(rank__lt=rank), sms_unique_id=report["sms_unique_id"]).update(
            status=new_status, rank=rank, stat=stat, err=err, finalised_at=now
        )


def _values(report: Any) -> tuple[list[Any], list[Any]]:
    """Return the parameters of the INSERT into the log and of the UPDATE of the message."""
    message_id, stat = report["sms_unique_id"], report["stat"]
    new_status, rank = STATUSES[stat]
    err = int(report["err"] or 0)
    now: Any = timezone.now()
    if connection.vendor != "postgresql":
        now = now.replace(tzinfo=None).isoformat(" ")
    log_values = [message_id, stat, err, now, json.dumps(report.dict()), _fingerprint(message_id, stat, err)]
    return log_values, [new_status, rank, stat, err, now, rank]


def _fingerprint(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _rank() -> str:
    return connection.ops.quote_name("rank")  # a reserved word in MySQL


def _ok() -> HttpResponse:
    return HttpResponse("OK", content_type="text/plain")
