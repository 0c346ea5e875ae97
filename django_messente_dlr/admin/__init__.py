"""Read-only admin pages for messages, delivery reports, accounts and statistics.

Django's autodiscovery imports this package, which registers four models. The template library imports it too, also in
a project without the admin, where it registers nothing. No form adds, changes or deletes a row: messages and reports
are evidence. A management command prunes old rows.
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
