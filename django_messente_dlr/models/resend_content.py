"""The model of what a message contains, which is kept until the message is final."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models.fields import PrimaryKeyOneToOneField
from django_messente_dlr.models.messages import SmsMessage


class ResendContent(models.Model):
    """What a message contains that ``RESEND`` may send again, if ``STORE_TEXT`` is not set.

    The row is created just before the message is given to Messente. It is deleted when the message is sent again,
    and by the sweep when the message is final.
    """

    message = PrimaryKeyOneToOneField(
        SmsMessage, verbose_name=_("message"), related_name="+", on_delete=models.CASCADE, primary_key=True
    )
    content = models.JSONField(_("content"), default=dict)  # see sending.queue.content

    class Meta:
        verbose_name = _("content to send again")
        verbose_name_plural = _("contents to send again")

    def __str__(self) -> str:
        return str(self.message_id)
