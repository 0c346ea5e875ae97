"""Factories that create rows as the app does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr.conf import DEFAULT_ACCOUNT
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status

try:
    import factory
    from factory.django import DjangoModelFactory
except ModuleNotFoundError as exc:
    raise ImportError(
        'django_messente_dlr.testing.factories needs factory_boy. Run: pip install "django-messente-dlr[testing]"'
    ) from exc

__all__ = ["AccountFactory", "DeliveryReportFactory", "SmsMessageFactory"]


class SmsMessageFactory(DjangoModelFactory[SmsMessage]):
    """Create a message that Messente has accepted, without a report.

    ``queued=True`` creates a message whose request has no response yet, ``prepared=True`` one of `prepare_sms`, and
    ``several_channels=True`` a message of Viber and then SMS, whose channels' messages have the ids "viber-…" and
    "sms-…".
    """

    class Meta:
        model = SmsMessage

    class Params:
        queued = factory.Trait(status=Status.QUEUED, sms_unique_id=None, sent_at=None)
        prepared = factory.Trait(queued=True, send_at=None)
        several_channels = factory.Trait(
            sms_unique_id=None,
            omnimessage_id=factory.Faker("uuid4"),
            channel="viber",
            channel_count=2,
            channels=factory.LazyAttribute(
                lambda message: [
                    {"channel": name, "message_id": f"{name}-{message.omnimessage_id}"} for name in ("viber", "sms")
                ]
            ),
        )

    sms_unique_id: Any = factory.Faker("hexify", text="^" * 32)
    account: Any = DEFAULT_ACCOUNT
    recipient: Any = factory.Sequence(lambda number: f"+3725561{number % 10_000:04}")
    sender: Any = "Shop"
    status: Any = Status.SENT
    rank: Any = factory.LazyAttribute(lambda message: Status(message.status).rank)
    created_at: Any = factory.LazyAttribute(lambda row: timezone.now())
    send_at: Any = factory.SelfAttribute("created_at")
    sent_at: Any = factory.SelfAttribute("send_at")
    next_poll_at: Any = factory.LazyAttribute(
        lambda message: message.created_at + timedelta(minutes=10) if message.rank <= Status.SENT.rank else None
    )
    may_lack_poll: Any = False
    finalised_at: Any = factory.LazyAttribute(
        lambda message: message.created_at if Status(message.status).is_final else None
    )

    @classmethod
    def _build(cls, model_class: type[SmsMessage], *args: Any, **kwargs: Any) -> SmsMessage:
        del kwargs["next_poll_at"]  # it is the time of a PendingPoll, not a column
        message: SmsMessage = super()._build(model_class, *args, **kwargs)
        return message

    @classmethod
    def _create(cls, model_class: type[SmsMessage], *args: Any, **kwargs: Any) -> SmsMessage:
        next_poll_at = kwargs.pop("next_poll_at")
        message: SmsMessage = super()._create(model_class, *args, **kwargs)
        if next_poll_at is not None:
            PendingPoll.objects.create(message=message, account=message.account, due_at=next_poll_at)
        return message


class DeliveryReportFactory(DjangoModelFactory[DeliveryReport]):
    """Create a report whose signals are sent. It leaves its message unchanged, unlike `receiving.record`."""

    class Meta:
        model = DeliveryReport

    message: Any = factory.SubFactory(SmsMessageFactory)
    account: Any = factory.LazyAttribute(lambda row: row.message.account if row.message else DEFAULT_ACCOUNT)
    sms_unique_id: Any = factory.LazyAttribute(lambda row: (row.message and row.message.sms_unique_id) or "")
    source: Any = Source.CALLBACK.value
    stat: Any = "DELIVRD"
    status: Any = Status.DELIVERED
    received_at: Any = factory.LazyAttribute(lambda row: timezone.now())
    dispatched_at: Any = factory.LazyAttribute(
        lambda row: None if getattr(row, "dispatch_due_at", None) else row.received_at
    )
    dispatch_failed_at: Any = factory.LazyAttribute(
        lambda row: row.received_at if getattr(row, "dispatch_error", "") else None
    )
    payload: Any = factory.LazyAttribute(lambda row: {"sms_unique_id": row.sms_unique_id, "stat": row.stat})
    fingerprint: Any = factory.Sequence(lambda number: Report(source=Source.CALLBACK).fingerprint("factory", number))
    outcome: Any = factory.LazyAttribute(lambda row: ReportOutcome.ADVANCED if row.message else ReportOutcome.ORPHAN)
    signals: Any = factory.LazyFunction(lambda: ["dlr_received"])


class AccountFactory(DjangoModelFactory[Account]):
    """Create or update the row of an account; ``held=True`` starts a credit hold."""

    class Meta:
        model = Account

    class Params:
        held = factory.Trait(credits_exhausted_at=factory.LazyAttribute(lambda row: timezone.now()))

    name: Any = DEFAULT_ACCOUNT

    @classmethod
    def _create(cls, model_class: type[Account], *args: Any, **kwargs: Any) -> Account:
        # A callback may have created the row before. django_get_or_create would not update it.
        account, _ = model_class.objects.update_or_create(name=kwargs.pop("name"), defaults=kwargs)
        return account
