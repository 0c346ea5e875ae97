"""The model of a pending poll: a message without a final report, and the time of its next poll."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models.fields import PrimaryKeyOneToOneField
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.querysets import PendingPollQuerySet


class PendingPoll(models.Model):
    """A message that has no final status yet, and when to poll for it.

    The row is created with its message, or by the sweep if the project has inserted the message without it.
    `receiving` deletes it when the message gets a final status.

    It is a table of its own because few messages are pending at a time, and ``due_at`` changes more often than any
    other column. A claim thus writes a few short rows, and no index of the messages.
    """

    message = PrimaryKeyOneToOneField(
        SmsMessage, verbose_name=_("message"), related_name="pending", on_delete=models.CASCADE, primary_key=True
    )
    account = models.CharField(
        _("account"), max_length=64
    )  # copied from the message, so that a claim can select accounts
    due_at = models.DateTimeField(_("next poll at"))

    objects = PendingPollQuerySet.as_manager()

    class Meta:
        verbose_name = _("pending poll")
        verbose_name_plural = _("pending polls")
        indexes = [models.Index(fields=["due_at"], name="messente_dlr_due")]

    def __str__(self) -> str:
        return str(self.message_id)
