"""The model of a delivery report."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.callbacks.key_fingerprints import MAX_FINGERPRINT
from django_messente_dlr.messente.field_parsers import MAX_ID, MAX_WORD
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models.fields import CaseSensitiveCharField
from django_messente_dlr.models.indexes import PartialIndexIfSupported
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.querysets import DeliveryReportQuerySet, is_uncommon
from django_messente_dlr.models.statuses import Status

ORPHAN, MATCHED = Q(message__isnull=True), Q(message__isnull=False)
# A search for an id in messages does not find these reports: an orphan has no message, and the message of a report
# about an omnimessage may not have the ids of its channels.
ORPHAN_OR_OMNIMESSAGE = ORPHAN | Q(omnimessage_id__gt="")
UNDISPATCHED = Q(dispatch_due_at__isnull=False)
DISPATCH_FAILED = Q(dispatch_failed_at__isnull=False)


class ReportOutcome(models.TextChoices):
    """The effect of a report on its message."""

    ADVANCED = "advanced", _("Status changed")
    ENRICHED = "enriched", _("Details added")
    CHANNEL_FAILED = "channel_failed", _("One channel failed")
    STALE = "stale", _("No change")
    ORPHAN = "orphan", _("No matching message (orphan)")
    UNREADABLE = "unreadable", _("Unrecognised status")


class DeliveryReport(models.Model):
    """A report as it was received, and its effect on its message. Duplicates are counted in the same row.

    A stored row is changed only by its dispatch, by a duplicate, which is counted, and by the match of an orphan.

    An orphan has no ``message``. Its ``token_message_id`` and ``token_created_at`` identify the message in the token
    of the callback URL. They are None if that URL is the account's. A message with this primary key and another
    ``created_at`` is not the message of the orphan, but was created after a backup was restored.
    """

    SOURCES: list[tuple[str, str | Promise]] = [
        (Source.CALLBACK.value, _("Callback")),
        (Source.OMNICHANNEL.value, _("Omnichannel callback")),
        (Source.POLL.value, _("Poll")),
        (Source.SEND.value, _("Response to sending")),
        (Source.CANCEL.value, _("Response to cancelling")),
    ]

    message = models.ForeignKey(
        SmsMessage,
        verbose_name=_("message"),
        related_name="reports",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        db_index=False,  # Meta.indexes has one that excludes orphans
    )
    token_message_id = models.BigIntegerField(_("message in the callback URL"), null=True, blank=True)
    token_created_at = models.DateTimeField(_("creation time in the callback URL"), null=True, blank=True)
    sms_unique_id = CaseSensitiveCharField(_("message ID"), max_length=MAX_ID, blank=True, default="")
    omnimessage_id = CaseSensitiveCharField(_("omnimessage ID"), max_length=MAX_ID, blank=True, default="")
    account = models.CharField(_("account"), max_length=64)
    source = models.CharField(_("source"), max_length=32, choices=SOURCES)
    stat = models.CharField(_("stat"), max_length=MAX_WORD, blank=True, default="")
    status = models.CharField(_("status"), max_length=32, choices=Status.choices, blank=True, default="")
    err = models.BigIntegerField(_("err"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"))
    payload = models.JSONField(_("payload"), default=dict, blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    # The fingerprints (`callbacks.key_fingerprints`) of the keys that verified the callback. They show whether an old
    # key is still in use or can be removed from the settings.
    url_key = models.CharField(_("URL key"), max_length=MAX_FINGERPRINT, blank=True, default="")
    signature_key = models.CharField(_("signature key"), max_length=MAX_FINGERPRINT, blank=True, default="")
    times_received = models.PositiveIntegerField(_("times received"), default=1)
    outcome = models.CharField(_("outcome"), max_length=32, choices=ReportOutcome.choices)
    previous = models.CharField(_("previous status"), max_length=32, choices=Status.choices, blank=True, default="")
    signals = models.JSONField(_("signals"), default=list, blank=True)
    dispatch_due_at = models.DateTimeField(_("signals due at"), null=True, blank=True)
    dispatched_at = models.DateTimeField(_("signals sent at"), null=True, blank=True)
    dispatch_error = models.TextField(_("receiver errors"), blank=True, default="")
    dispatch_failed_at = models.DateTimeField(_("receivers failed at"), null=True, blank=True)

    objects = DeliveryReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], name="messente_dlr_fingerprint"),
        ]
        indexes = [
            PartialIndexIfSupported(fields=["message"], condition=MATCHED, name="messente_dlr_report_message"),
            # A report that has its message and whose signals were sent is in none of the indexes below.
            PartialIndexIfSupported(
                fields=["sms_unique_id"], condition=ORPHAN_OR_OMNIMESSAGE, name="messente_dlr_report_id"
            ),
            PartialIndexIfSupported(fields=["omnimessage_id"], condition=ORPHAN, name="messente_dlr_report_omni"),
            PartialIndexIfSupported(fields=["token_message_id"], condition=ORPHAN, name="messente_dlr_report_token"),
            PartialIndexIfSupported(
                fields=["dispatch_due_at"], condition=UNDISPATCHED, name="messente_dlr_dispatch_due"
            ),  # used by the sweep
            PartialIndexIfSupported(
                fields=["dispatch_failed_at"], condition=DISPATCH_FAILED, name="messente_dlr_dispatch_fail"
            ),
            PartialIndexIfSupported(
                fields=["outcome", "id"], condition=is_uncommon("outcome"), name="messente_dlr_by_outcome"
            ),
        ]

    def __str__(self) -> str:
        message_id = self.sms_unique_id or self.omnimessage_id or self.token_message_id
        return f"{self.stat or self.status or '–'} ({message_id})"
