"""Which reports are still waited for, and when Messente is asked about each: the poller's list, and no more."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models.fields import PrimaryKeyOneToOneField
from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.querysets import PendingPollQuerySet


class PendingPoll(models.Model):
    """A message whose end is not known yet, and when to ask about it.

    Few messages wait at a time, and for each of them this changes more often than anything else does. In a table of
    its own a claim touches nothing but a few short rows, and no index of the messages' changes with it.

    The row is there from the moment that its message is entered until `receiving` writes down its end.
    """

    message = PrimaryKeyOneToOneField(
        SmsMessage, verbose_name=_("message"), related_name="pending", on_delete=models.CASCADE, primary_key=True
    )
    account = models.CharField(_("account"), max_length=64)  # its message's, for a claim of some accounts alone
    due_at = models.DateTimeField(_("next poll at"))

    objects = PendingPollQuerySet.as_manager()

    class Meta:
        verbose_name = _("pending poll")
        verbose_name_plural = _("pending polls")
        indexes = [models.Index(fields=["due_at"], name="messente_dlr_due")]

    def __str__(self) -> str:
        return str(self.message_id)
