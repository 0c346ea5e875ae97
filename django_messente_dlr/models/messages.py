"""The model of an SMS message."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import callbacks
from django_messente_dlr.conf import DEFAULT_ACCOUNT
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.field_parsers import MAX_ID, MAX_WORD
from django_messente_dlr.models.error_texts import translated
from django_messente_dlr.models.fields import CaseSensitiveCharField
from django_messente_dlr.models.message_indexes import MESSAGE_CONSTRAINTS, MESSAGE_INDEXES
from django_messente_dlr.models.querysets import PENDING_STATUSES, SmsMessageQuerySet
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.phone_numbers import is_pseudonym
from django_messente_dlr.utils.poll_schedule import DEFAULT_VALIDITY, REPORT_RETENTION
from django_messente_dlr.utils.times import shift

# The columns of the delivery state and of the ids at Messente. `SmsMessage.save` does not write them by default.
WRITTEN_BY_REPORTS = frozenset(
    {
        *("status", "rank", "stat", "err", "error_text", "parts", "price", "channel", "finalised_at"),
        *("sms_unique_id", "omnimessage_id", "sent_at", "resent_at", "poll_count", "may_lack_poll"),
        *("send_at", "validity", "channels", "channel_count"),
    }
)
# What is read again when a report may have changed the row: also the generated columns and the row of the next poll.
DELIVERY_STATE = [*WRITTEN_BY_REPORTS, "uncommon_status", "uncommon_err", "pending"]


class SmsMessage(models.Model):
    """A message that was sent or is about to be sent, with its delivery state.

    Only `receiving` writes ``status``, ``rank``, ``stat`` and ``err``.
    """

    sms_unique_id = CaseSensitiveCharField(_("message ID"), max_length=MAX_ID, null=True, blank=True)
    omnimessage_id = CaseSensitiveCharField(_("omnimessage ID"), max_length=MAX_ID, blank=True, default="")
    account = models.CharField(_("account"), max_length=64, default=DEFAULT_ACCOUNT)
    recipient = models.CharField(_("recipient"), max_length=32, blank=True, default="")
    # OVERRIDE_RECIPIENT got the message instead of its recipient.
    overridden = models.BooleanField(_("recipient overridden"), default=False, db_default=False, editable=False)
    sender = models.CharField(_("sender"), max_length=32, blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="", help_text=_("Stored only if STORE_TEXT is set."))
    channel = models.CharField(_("channel"), max_length=16, blank=True, default="sms")
    status = models.CharField(_("status"), max_length=32, choices=Status.choices, default=Status.QUEUED)
    rank = models.PositiveSmallIntegerField(_("rank"), default=0, editable=False)
    stat = models.CharField(_("stat"), max_length=MAX_WORD, blank=True, default="")
    err = models.BigIntegerField(_("err"), null=True, blank=True)
    error_text = models.CharField(_("error"), max_length=255, blank=True, default="")
    parts = models.PositiveSmallIntegerField(_("parts"), null=True, blank=True)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=6, null=True, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    reference = CaseSensitiveCharField(_("reference"), max_length=128, blank=True, default="", db_default="")
    # What `resend` needs besides the text: the options of the send functions, by name.
    options = models.JSONField(_("options"), blank=True, default=dict, db_default=Value({}, models.JSONField()))
    # The channels in the order of preference: objects of the Omnichannel API, with their message_id once it is known.
    # Texts are stored only if STORE_TEXT is set. Empty for a message of one SMS.
    channels = models.JSONField(_("channels"), blank=True, default=list, db_default=Value([], models.JSONField()))
    channel_count = models.PositiveSmallIntegerField(_("number of channels"), null=True, blank=True)
    # Meta.indexes has an index that excludes the messages that are no resend.
    resend_of = models.ForeignKey(
        "self", models.SET_NULL, "resends", verbose_name=_("resend of"), null=True, blank=True, db_index=False
    )
    attempt = models.PositiveSmallIntegerField(_("resend attempt"), null=True, blank=True)  # None: not by RESEND
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    # When Messente is to send the message: the scheduled time, or that of the request. Unlike ``sent_at``, it is
    # stored before the request. None until the message is sent, for one of `prepare_sms`.
    send_at = models.DateTimeField(_("to be sent at"), null=True, blank=True)
    # How long Messente tries to deliver the message, in seconds: the sum of its channels. None: Messente's default.
    validity = models.PositiveIntegerField(_("validity in seconds"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    resent_at = models.DateTimeField(_("resent at"), null=True, blank=True)
    finalised_at = models.DateTimeField(_("final at"), null=True, blank=True)
    poll_count = models.PositiveIntegerField(_("polls"), default=0)
    # False for the messages that this app inserts, as it inserts their `PendingPoll` with them. The sweep examines
    # the others once, such as those of ``bulk_create``. No index finds them by their status, because each delivery
    # would change that index.
    may_lack_poll = models.BooleanField(default=True, db_default=True, editable=False)
    # The database computes these two columns for the filters of the admin. They are NULL for a message that is sent
    # or delivered. A delivery thus changes no indexed column, and PostgreSQL does not write to the indexes (a
    # "heap-only tuple", HOT).
    uncommon_status = models.GeneratedField(
        verbose_name=_("status"),
        expression=Case(When(~Q(status__in=[*PENDING_STATUSES, Status.DELIVERED.value]), then=F("status"))),
        output_field=models.CharField(max_length=32),
        db_persist=True,
    )
    uncommon_err = models.GeneratedField(
        verbose_name=_("err"),
        expression=Case(When(err__gt=0, then=F("err"))),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    objects = SmsMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("SMS message")
        verbose_name_plural = _("SMS messages")
        constraints = MESSAGE_CONSTRAINTS
        indexes = MESSAGE_INDEXES
        permissions = [
            ("view_recipient", "Can see recipients' numbers in full"),
            ("view_text", "Can see the texts of messages"),
            ("resend_smsmessage", "Can resend messages"),
            ("cancel_smsmessage", "Can cancel messages"),
            ("export_smsmessage", "Can export messages"),
            ("erase_recipient", "Can erase recipients' numbers"),
        ]

    def __str__(self) -> str:
        return self.sms_unique_id or self.omnimessage_id or f"#{self.pk}"

    def save(self, *args: Any, **options: Any) -> None:
        """Save the message. Without ``update_fields``, an update omits the columns that reports write.

        A report may have changed the row after the caller read it. Without this rule, a caller that changes
        ``metadata`` would write the old delivery state back.
        """
        self.sms_unique_id = self.sms_unique_id or None  # the unique constraint ignores NULL only
        is_update = not self._state.adding and bool(self.pk) and options.get("using") in {None, self._state.db}
        if is_update and not args and not options.get("force_insert") and options.get("update_fields") is None:
            omitted = WRITTEN_BY_REPORTS | self.get_deferred_fields()
            options["update_fields"] = [
                field.name
                for field in self._meta.concrete_fields
                if field.attname not in omitted and not (field.primary_key or field.generated)
            ]
        super().save(*args, **options)

    @property
    def callback_url(self) -> str:
        """Return the signed callback URL of this message, for a client that sends it with ``dlr-url``.

        Raises:
            ImproperlyConfigured: ``CALLBACK_BASE_URL`` is not set.
            ValueError: the message is not saved.
        """
        return callbacks.message_callback_url(self.callback_key, self.account)

    @property
    def callback_key(self) -> callbacks.MessageKey:
        """Return the identity of this message in its callback URL."""
        # A row that the project created with a text as its time has that text until it is read again.
        field: Any = self._meta.get_field("created_at")
        return callbacks.MessageKey(self.pk, field.to_python(self.created_at))

    @property
    def is_erased(self) -> bool:
        """Return whether the recipient's number was erased. ``recipient`` is then a pseudonym."""
        return is_pseudonym(self.recipient)

    @property
    def next_poll_at(self) -> datetime | None:
        """Return when the message is polled next, or None if no further report is expected."""
        try:
            return self.pending.due_at
        except ObjectDoesNotExist:
            return None

    @property
    def effective_send_at(self) -> datetime | None:
        """Return when Messente sends the message: ``send_at`` until Messente's answer sets ``sent_at``; or None."""
        return self.sent_at or self.send_at

    @property
    def is_prepared(self) -> bool:
        """Return whether the message of `prepare_sms` has not been sent yet, as far as this app knows."""
        known = self.effective_send_at or self.sms_unique_id or self.omnimessage_id
        return not known and self.rank == Status.QUEUED.rank

    @property
    def report_expires_at(self) -> datetime | None:
        """Return when Messente deletes its reports: 48 hours after the validity. None for a message not sent yet.

        An SMS without a validity has 6 hours (documentation of ``send_sms``); this is assumed for other channels.
        """
        if self.is_prepared:
            return None
        validity = DEFAULT_VALIDITY if self.validity is None else timedelta(seconds=self.validity)
        return shift(self.effective_send_at or self.created_at, validity + REPORT_RETENTION)

    @property
    def error_description(self) -> str:
        """Return ``error_text`` in the active language, a response code with its meaning and advice."""
        return translated(self.error_text)

    @property
    def cause(self) -> ErrorCode | None:
        """Return the cause of a failure, with its meaning and advice, or None if there is none or it is not known."""
        return ErrorCode.from_code(self.err) if Status(self.status).is_failure and self.err else None
