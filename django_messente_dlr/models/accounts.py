"""The model of an account at Messente."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models.error_texts import translated


class Account(models.Model):
    """An account at Messente: its credit, and the times of the last callback and the last poll."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    credits_exhausted_at = models.DateTimeField(_("out of credits since"), null=True, blank=True)
    credits_restored_at = models.DateTimeField(_("credit last restored at"), null=True, blank=True)
    restored_dispatch_due_at = models.DateTimeField(_("restoration signal due at"), null=True, blank=True)
    balance = models.DecimalField(_("balance (EUR)"), max_digits=18, decimal_places=6, null=True, blank=True)
    balance_checked_at = models.DateTimeField(_("balance checked at"), null=True, blank=True)
    last_callback_at = models.DateTimeField(_("last callback at"), null=True, blank=True)
    recent_holds = models.JSONField(_("recent credit holds"), default=list, blank=True)
    key_uses = models.JSONField(_("callback keys last used"), default=dict, blank=True)
    last_poll_at = models.DateTimeField(_("last poll at"), null=True, blank=True)
    last_poll_error = models.CharField(_("last poll error"), max_length=255, blank=True, default="")

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")

    def __str__(self) -> str:
        return self.name

    @property
    def poll_error_description(self) -> str:
        """Return ``last_poll_error`` in the active language, a response code with its meaning and advice."""
        return translated(self.last_poll_error)


class TrackingLock(models.Model):
    """A row for each account that `track_sms` locks, for as long as the project's transaction lasts.

    It does not lock the `Account`: callbacks write that row, and would wait for the end of the transaction.
    """

    account = models.CharField(_("account"), max_length=64, primary_key=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.account
