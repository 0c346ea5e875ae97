"""The list of accounts and the page of an account: credit, last callback and last poll."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import accounts
from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.base import ReadOnlyAdmin
from django_messente_dlr.models import Account


class AccountAdmin(ReadOnlyAdmin[Account]):
    """Show the credit and the last activity of each account, and release the credit hold by an action."""

    ordering = ("name",)
    list_display = ("name", "credit", "held_since", "balance_left", "last_callback", "last_poll", "poll_error")
    actions = ("lift_credit_hold",)
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            _("Credit"),
            {
                "fields": (
                    "credit",
                    "credits_exhausted_at",
                    "credits_restored_at",
                    "balance_left",
                    "balance_checked_at",
                ),
                "description": _(
                    "While an account is on hold, new messages from it are refused, unless HOLD_ON_CREDITS_EXHAUSTED "
                    "is off. The hold ends automatically when a balance check finds more credit than CREDIT_FLOOR or "
                    "when a message sent later is delivered. The third hold within an hour without a higher balance "
                    "lasts an hour. Users with permission to change accounts can also lift it."
                ),
            },
        ),
        (_("Last contact with Messente"), {"fields": ("last_callback_at", "last_poll_at", "poll_error")}),
        (
            _("Callback keys"),
            {
                "fields": ("key_last_used",),
                "description": _(
                    "The fingerprint of each key that has verified a callback, and the time of its last use. The "
                    "command messente_doctor shows which key of the settings has which fingerprint."
                ),
            },
        ),
    )
    readonly_fields = ("credit", "balance_left", "key_last_used", "poll_error")

    @admin.action(description=_("Lift the credit hold"), permissions=["act"])
    def lift_credit_hold(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Release the hold of the selected accounts, and send ``credits_restored`` for each that was on hold."""
        for account in queryset.order_by("name"):
            params = {"account": account.name}
            if accounts.release_hold(account.name, now=timezone.now()):
                self.log_change(request, account, gettext("Lifted the credit hold."))
                lifted = gettext(
                    "The credit hold of “%(account)s” is lifted. Messages can be sent from this account again."
                )
                self.message_user(request, lifted % params, messages.SUCCESS)
            else:
                idle = gettext("“%(account)s” was not on hold. Nothing was changed.")
                self.message_user(request, idle % params, messages.INFO)

    @admin.display(description=_("credit"))
    def credit(self, account: Account) -> SafeString:
        if account.credits_exhausted_at:
            badge = rendering.badge(_("On hold: out of credits"), "error")
            return format_html("{} {}", badge, rendering.hold_note(account))
        return rendering.badge(_("Not on hold"), "success")

    @admin.display(description=_("balance (EUR)"))
    def balance_left(self, account: Account) -> str:
        return formatting.amount(account.balance)

    @admin.display(description=_("last used at"))
    def key_last_used(self, account: Account) -> SafeString | str:
        return rendering.pretty_json(account.key_uses)

    @admin.display(description=_("out of credits since"))
    def held_since(self, account: Account) -> SafeString | str:
        return formatting.timesince_tag(account.credits_exhausted_at)

    @admin.display(description=_("last callback at"))
    def last_callback(self, account: Account) -> SafeString | str:
        return formatting.timesince_tag(account.last_callback_at)

    @admin.display(description=_("last poll at"))
    def last_poll(self, account: Account) -> SafeString | str:
        return formatting.timesince_tag(account.last_poll_at)

    @admin.display(description=_("last poll error"), empty_value=formatting.EMPTY)
    def poll_error(self, account: Account) -> str:
        return account.poll_error_description
