"""The rows: a message, every report that ever came about it, and what is known of each account."""

from __future__ import annotations

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import callbacks
from django_messente_dlr.keys import MAX_FINGERPRINT
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.fields import MAX_ID, MAX_WORD
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.querysets import DeliveryReportQuerySet, SmsMessageQuerySet
from django_messente_dlr.statuses import Status


class SmsMessage(models.Model):
    """One message that was sent, or is about to be, and what became of it.

    `ledger` alone writes ``status``, ``rank``, ``stat`` and ``err``.
    """

    sms_unique_id = models.CharField(_("message id"), max_length=MAX_ID, null=True, blank=True)  # noqa: DJ001
    omnimessage_id = models.CharField(_("omnimessage id"), max_length=MAX_ID, blank=True, default="")
    account = models.CharField(_("account"), max_length=64)
    recipient = models.CharField(_("recipient"), max_length=32, blank=True, default="")
    sender = models.CharField(_("sender"), max_length=32, blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="", help_text=_("Kept only where STORE_TEXT is set."))
    channel = models.CharField(_("channel"), max_length=16, blank=True, default="sms")
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.QUEUED)
    rank = models.PositiveSmallIntegerField(_("rank"), default=0, editable=False)
    stat = models.CharField(_("stat"), max_length=MAX_WORD, blank=True, default="")
    err = models.IntegerField(_("err"), null=True, blank=True)
    error_text = models.CharField(_("error"), max_length=255, blank=True, default="")
    parts = models.PositiveSmallIntegerField(_("parts"), null=True, blank=True)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=6, null=True, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    finalised_at = models.DateTimeField(_("final at"), null=True, blank=True)
    next_poll_at = models.DateTimeField(_("next poll at"), null=True, blank=True)
    poll_count = models.PositiveIntegerField(_("polls"), default=0)

    objects = SmsMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("SMS message")
        verbose_name_plural = _("SMS messages")
        constraints = [
            # Not unique=True: on PostgreSQL that makes a second index for LIKE, which nobody asks for.
            models.UniqueConstraint(fields=["sms_unique_id"], name="messente_dlr_sms_unique_id"),
        ]
        indexes = [
            models.Index(fields=["next_poll_at"], name="messente_dlr_next_poll"),  # the poller's claim
            models.Index(fields=["recipient"], name="messente_dlr_recipient"),  # «I got no SMS»
            models.Index(fields=["omnimessage_id"], name="messente_dlr_omnimessage"),  # Omnichannel reports
            # The filters of the admin's list, each in its order: the few among the many, without reading the many.
            models.Index(fields=["status", "id"], name="messente_dlr_by_status"),
            models.Index(fields=["err", "id"], name="messente_dlr_by_err"),
            models.Index(fields=["account", "id"], name="messente_dlr_by_account"),
            models.Index(fields=["channel", "id"], name="messente_dlr_by_channel"),
            models.Index(fields=["created_at"], name="messente_dlr_created"),  # an hour's tally; age
        ]
        permissions = [
            ("view_recipient", "Can see recipients' numbers in full"),
            ("view_text", "Can see the texts of messages"),
            ("send_again", "Can send messages again"),
            ("export", "Can export messages"),
        ]

    def __str__(self) -> str:
        return self.sms_unique_id or self.omnimessage_id or f"#{self.pk}"

    @property
    def callback_url(self) -> str:
        """The signed ``dlr-url`` that speaks for this message alone, for another client that sends it.

        Raises:
            ImproperlyConfigured: there is no ``CALLBACK_BASE_URL``.
        """
        return callbacks.message_callback_url(self.pk, self.account)

    @property
    def cause(self) -> ErrorCode | None:
        """The cause of a failure with its meaning and an advice; None where there is none, or none that we know."""
        return ErrorCode.known(self.err) if Status(self.status).is_failure and self.err else None


class DeliveryReport(models.Model):
    """One report as it came, once however often it came, and what it did. Append-only but for its dispatch.

    An orphan, whose message is not known yet, has no ``message``; ``named_message`` is the primary key that its
    callback URL speaks for, if that named one.
    """

    class Outcome(models.TextChoices):
        """What a report did."""

        ADVANCED = "advanced", _("Advanced the message")
        ENRICHED = "enriched", _("Added what was missing")
        STALE = "stale", _("Told nothing new")
        ORPHAN = "orphan", _("Its message is unknown")
        UNREADABLE = "unreadable", _("Told nothing that we know")

    SOURCES: list[tuple[str, str | Promise]] = [
        (Source.CALLBACK.value, _("Callback")),
        (Source.OMNICHANNEL.value, _("Omnichannel callback")),
        (Source.POLL.value, _("Poll")),
        (Source.SEND.value, _("Answer to sending")),
    ]

    message = models.ForeignKey(
        SmsMessage, verbose_name=_("message"), related_name="reports", on_delete=models.CASCADE, null=True, blank=True
    )
    named_message = models.BigIntegerField(_("message named by the URL"), null=True, blank=True)
    sms_unique_id = models.CharField(_("message id"), max_length=MAX_ID, blank=True, default="")
    omnimessage_id = models.CharField(_("omnimessage id"), max_length=MAX_ID, blank=True, default="")
    account = models.CharField(_("account"), max_length=64)
    source = models.CharField(_("source"), max_length=12, choices=SOURCES)
    stat = models.CharField(_("stat"), max_length=MAX_WORD, blank=True, default="")
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, blank=True, default="")
    err = models.IntegerField(_("err"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"))
    payload = models.JSONField(_("payload"), default=dict, blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    # By which keys it was verified: what `keys.fingerprint` says of them, so that an old one can be taken out safely.
    url_key = models.CharField(_("key of its URL"), max_length=MAX_FINGERPRINT, blank=True, default="")
    signature_key = models.CharField(_("key of its signature"), max_length=MAX_FINGERPRINT, blank=True, default="")
    receipts = models.PositiveIntegerField(_("receipts"), default=1)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    previous = models.CharField(_("status before"), max_length=12, choices=Status.choices, blank=True, default="")
    signals = models.JSONField(_("signals"), default=list, blank=True)
    dispatch_due_at = models.DateTimeField(_("signals due at"), null=True, blank=True)
    dispatched_at = models.DateTimeField(_("signals sent at"), null=True, blank=True)
    dispatch_error = models.TextField(_("errors of receivers"), blank=True, default="")
    dispatch_failed_at = models.DateTimeField(_("receivers failed at"), null=True, blank=True)

    objects = DeliveryReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], name="messente_dlr_fingerprint"),
        ]
        indexes = [
            models.Index(fields=["sms_unique_id"], name="messente_dlr_report_id"),  # matching orphans
            models.Index(fields=["omnimessage_id"], name="messente_dlr_report_omni"),  # matching orphans
            models.Index(fields=["named_message"], name="messente_dlr_report_named"),  # matching orphans
            models.Index(fields=["dispatch_due_at"], name="messente_dlr_dispatch_due"),  # the sweep's claim
            models.Index(fields=["dispatch_failed_at"], name="messente_dlr_dispatch_fail"),  # receivers that raised
            models.Index(fields=["outcome", "id"], name="messente_dlr_by_outcome"),  # orphan, unreadable, stale
        ]

    def __str__(self) -> str:
        return (
            f"{self.stat or self.status or '–'} ({self.sms_unique_id or self.omnimessage_id or self.named_message})"
        )


class Account(models.Model):
    """What is known of an account at Messente: its credit, and when we last heard of it."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    credits_exhausted_at = models.DateTimeField(_("out of credits since"), null=True, blank=True)
    credits_restored_at = models.DateTimeField(_("credit last restored at"), null=True, blank=True)
    restored_dispatch_due_at = models.DateTimeField(_("signal of restoration due at"), null=True, blank=True)
    balance = models.DecimalField(_("balance (EUR)"), max_digits=18, decimal_places=6, null=True, blank=True)
    balance_checked_at = models.DateTimeField(_("balance checked at"), null=True, blank=True)
    last_callback_at = models.DateTimeField(_("last callback at"), null=True, blank=True)
    key_uses = models.JSONField(_("keys of callbacks, last used at"), default=dict, blank=True)
    last_poll_at = models.DateTimeField(_("last poll at"), null=True, blank=True)
    last_poll_error = models.CharField(_("last poll error"), max_length=255, blank=True, default="")

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")

    def __str__(self) -> str:
        return self.name


class Tally(models.Model):
    """How many messages of one hour or day came to what; `tallies` counts, so that nobody reads them all to know."""

    class Span(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")

    span = models.CharField(_("span"), max_length=4, choices=Span.choices)
    starts_at = models.DateTimeField(_("starts at"))
    counted_at = models.DateTimeField(_("counted at"))
    figures = models.JSONField(_("figures"), default=dict, blank=True)

    class Meta:
        # The admin shows all of them on one page, which is what people look for under this name.
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        constraints = [models.UniqueConstraint(fields=["span", "starts_at"], name="messente_dlr_tally")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H:%M}"
