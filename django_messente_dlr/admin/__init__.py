"""The admin door: what became of every message, and why, for people to look at. It shows; `receiving` writes.

Django's autodiscovery imports this package, which registers the four pages; a project without the admin imports it,
too, for its tags and filters. Nothing here adds, changes or deletes a row by a form: messages and reports are
evidence, and old ones are pruned by a command.
"""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

from django_messente_dlr.admin.accounts import AccountAdmin
from django_messente_dlr.admin.messages import SmsMessageAdmin
from django_messente_dlr.admin.overview import OverviewAdmin
from django_messente_dlr.admin.reports import DeliveryReportAdmin
from django_messente_dlr.models import Account, DeliveryReport, MessageStatistics, SmsMessage

__all__ = ["AccountAdmin", "DeliveryReportAdmin", "OverviewAdmin", "SmsMessageAdmin"]

if apps.is_installed("django.contrib.admin"):
    admin.site.register(SmsMessage, SmsMessageAdmin)
    admin.site.register(DeliveryReport, DeliveryReportAdmin)
    admin.site.register(Account, AccountAdmin)
    admin.site.register(MessageStatistics, OverviewAdmin)
