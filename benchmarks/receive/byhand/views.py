"""One view for every habit; each is told what it leaves out. What none of them does stands in the README."""

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


def nothing(request: HttpRequest) -> HttpResponse:
    """a: answers, and does nothing."""
    return _ok()


def raw(request: HttpRequest) -> HttpResponse:
    """c: two statements in one transaction, in SQL."""
    logged, moved = _values(request.GET)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO byhand_log (sms_unique_id, stat, err, received_at, payload, fingerprint)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            logged,
        )
        cursor.execute(
            f"UPDATE byhand_sms SET status = %s, {_rank()} = %s, stat = %s, err = %s, finalised_at = %s"
            f" WHERE sms_unique_id = %s AND {_rank()} < %s",
            [*moved[:-1], logged[0], moved[-1]],
        )
    return _ok()


def one_statement(request: HttpRequest) -> HttpResponse:
    """c2: the same as one statement, which PostgreSQL alone takes."""
    logged, moved = _values(request.GET)
    with connection.cursor() as cursor:
        cursor.execute(ONE_STATEMENT, [*logged, *moved])
    return _ok()


def get_and_save(request: HttpRequest) -> HttpResponse:
    """d: what Messente's documentation leads one to write. No log, no duplicates, no order."""
    sms = Sms.objects.get(sms_unique_id=request.GET["sms_unique_id"])
    sms.stat = request.GET["stat"]
    sms.status, sms.rank = STATUSES[sms.stat]
    sms.err = int(request.GET["err"] or 0)
    sms.finalised_at = timezone.now()
    sms.save()
    return _ok()


@receiver(tracking)
def on_tracking(sender: Any, event: Any, **kwargs: Any) -> None:
    """e: Anymail's own view, and this receiver. No log, no duplicates, no order."""
    Sms.objects.filter(sms_unique_id=event.message_id).update(
        status="delivered", rank=50, stat=event.event_type, finalised_at=timezone.now()
    )


class WithSerializer(APIView):
    """f: Django REST framework, and the ORM."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        told = ReportSerializer(data=request.query_params)
        told.is_valid(raise_exception=True)
        _record_by_orm(told.validated_data)
        return Response("OK", status=status.HTTP_200_OK)


class ReportSerializer(serializers.Serializer[Any]):
    sms_unique_id = serializers.CharField(max_length=128)
    stat = serializers.ChoiceField(choices=list(STATUSES))
    err = serializers.CharField(allow_blank=True, required=False, default="")


def by_orm(request: HttpRequest) -> HttpResponse:
    """g: a plain Django view, and the ORM."""
    _record_by_orm(request.GET)
    return _ok()


def _record_by_orm(told: Any) -> None:
    stat = told["stat"]
    state, rank = STATUSES[stat]
    err = int(told["err"] or 0)
    now = timezone.now()
    with transaction.atomic():
        Log.objects.create(
            sms_unique_id=told["sms_unique_id"],
            stat=stat,
            err=err,
            received_at=now,
            payload={"sms_unique_id": told["sms_unique_id"], "stat": stat, "err": told["err"]},
            fingerprint=_fingerprint(told["sms_unique_id"], stat, err),
        )
        Sms.objects.filter(Q(rank__lt=rank), sms_unique_id=told["sms_unique_id"]).update(
            status=state, rank=rank, stat=stat, err=err, finalised_at=now
        )


def _values(told: Any) -> tuple[list[Any], list[Any]]:
    name, stat = told["sms_unique_id"], told["stat"]
    state, rank = STATUSES[stat]
    err = int(told["err"] or 0)
    now: Any = timezone.now()
    if connection.vendor != "postgresql":
        now = now.replace(tzinfo=None).isoformat(" ")
    logged = [name, stat, err, now, json.dumps(told.dict()), _fingerprint(name, stat, err)]
    return logged, [state, rank, stat, err, now, rank]


def _fingerprint(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _rank() -> str:
    return connection.ops.quote_name("rank")  # a word of MySQL's own


def _ok() -> HttpResponse:
    return HttpResponse("OK", content_type="text/plain")
