# Its field and index classes are imported by every project's migration history: the modules
# django_messente_dlr.models.fields and django_messente_dlr.models.indexes must never move, nor these classes be renamed.

from typing import Any

import django.db.models.deletion
import django.utils.timezone
import django_messente_dlr.models.fields
import django_messente_dlr.models.indexes
from django.db import migrations, models


def set_fillfactor(apps: Any, schema_editor: Any) -> None:
    # PostgreSQL stores the new version of a row beside the old one, and changes no index, where the page has room.
    if schema_editor.connection.vendor == 'postgresql':
        table = schema_editor.quote_name(apps.get_model('django_messente_dlr', 'SmsMessage')._meta.db_table)
        schema_editor.execute(f'ALTER TABLE {table} SET (fillfactor = 80)')


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, verbose_name='name')),
                ('credits_exhausted_at', models.DateTimeField(blank=True, null=True, verbose_name='out of credits since')),
                ('credits_restored_at', models.DateTimeField(blank=True, null=True, verbose_name='credit last restored at')),
                ('restored_dispatch_due_at', models.DateTimeField(blank=True, null=True, verbose_name='restoration signal due at')),
                ('balance', models.DecimalField(blank=True, decimal_places=6, max_digits=18, null=True, verbose_name='balance (EUR)')),
                ('balance_checked_at', models.DateTimeField(blank=True, null=True, verbose_name='balance checked at')),
                ('last_callback_at', models.DateTimeField(blank=True, null=True, verbose_name='last callback at')),
                ('key_uses', models.JSONField(blank=True, default=dict, verbose_name='callback keys last used')),
                ('last_poll_at', models.DateTimeField(blank=True, null=True, verbose_name='last poll at')),
                ('last_poll_error', models.CharField(blank=True, default='', max_length=255, verbose_name='last poll error')),
            ],
            options={
                'verbose_name': 'account',
                'verbose_name_plural': 'accounts',
            },
        ),
        migrations.CreateModel(
            name='DeliveryReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_message_id', models.BigIntegerField(blank=True, null=True, verbose_name='message in the callback URL')),
                ('sms_unique_id', django_messente_dlr.models.fields.CaseSensitiveCharField(blank=True, default='', max_length=128, verbose_name='message ID')),
                ('omnimessage_id', django_messente_dlr.models.fields.CaseSensitiveCharField(blank=True, default='', max_length=128, verbose_name='omnimessage ID')),
                ('account', models.CharField(max_length=64, verbose_name='account')),
                ('source', models.CharField(choices=[('callback', 'Callback'), ('omnichannel', 'Omnichannel callback'), ('poll', 'Poll'), ('send', 'Response to sending')], max_length=32, verbose_name='source')),
                ('stat', models.CharField(blank=True, default='', max_length=32, verbose_name='stat')),
                ('status', models.CharField(blank=True, choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='', max_length=32, verbose_name='status')),
                ('err', models.BigIntegerField(blank=True, null=True, verbose_name='err')),
                ('occurred_at', models.DateTimeField(blank=True, null=True, verbose_name='occurred at')),
                ('received_at', models.DateTimeField(verbose_name='received at')),
                ('payload', models.JSONField(blank=True, default=dict, verbose_name='payload')),
                ('fingerprint', models.CharField(max_length=64, verbose_name='fingerprint')),
                ('url_key', models.CharField(blank=True, default='', max_length=8, verbose_name='URL key')),
                ('signature_key', models.CharField(blank=True, default='', max_length=8, verbose_name='signature key')),
                ('times_received', models.PositiveIntegerField(default=1, verbose_name='times received')),
                ('outcome', models.CharField(choices=[('advanced', 'Status changed'), ('enriched', 'Details added'), ('stale', 'No change'), ('orphan', 'No matching message (orphan)'), ('unreadable', 'Unrecognised status')], max_length=32, verbose_name='outcome')),
                ('previous', models.CharField(blank=True, choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='', max_length=32, verbose_name='previous status')),
                ('signals', models.JSONField(blank=True, default=list, verbose_name='signals')),
                ('dispatch_due_at', models.DateTimeField(blank=True, null=True, verbose_name='signals due at')),
                ('dispatched_at', models.DateTimeField(blank=True, null=True, verbose_name='signals sent at')),
                ('dispatch_error', models.TextField(blank=True, default='', verbose_name='receiver errors')),
                ('dispatch_failed_at', models.DateTimeField(blank=True, null=True, verbose_name='receivers failed at')),
            ],
            options={
                'verbose_name': 'delivery report',
                'verbose_name_plural': 'delivery reports',
            },
        ),
        migrations.CreateModel(
            name='SmsMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sms_unique_id', django_messente_dlr.models.fields.CaseSensitiveCharField(blank=True, max_length=128, null=True, verbose_name='message ID')),
                ('omnimessage_id', django_messente_dlr.models.fields.CaseSensitiveCharField(blank=True, default='', max_length=128, verbose_name='omnimessage ID')),
                ('account', models.CharField(max_length=64, verbose_name='account')),
                ('recipient', models.CharField(blank=True, default='', max_length=32, verbose_name='recipient')),
                ('sender', models.CharField(blank=True, default='', max_length=32, verbose_name='sender')),
                ('text', models.TextField(blank=True, default='', help_text='Stored only if STORE_TEXT is set.', verbose_name='text')),
                ('channel', models.CharField(blank=True, default='sms', max_length=16, verbose_name='channel')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='queued', max_length=32, verbose_name='status')),
                ('rank', models.PositiveSmallIntegerField(default=0, editable=False, verbose_name='rank')),
                ('stat', models.CharField(blank=True, default='', max_length=32, verbose_name='stat')),
                ('err', models.BigIntegerField(blank=True, null=True, verbose_name='err')),
                ('error_text', models.CharField(blank=True, default='', max_length=255, verbose_name='error')),
                ('parts', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='parts')),
                ('price', models.DecimalField(blank=True, decimal_places=6, max_digits=14, null=True, verbose_name='price')),
                ('metadata', models.JSONField(blank=True, default=dict, verbose_name='metadata')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created at')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
                ('resent_at', models.DateTimeField(blank=True, null=True, verbose_name='resent at')),
                ('finalised_at', models.DateTimeField(blank=True, null=True, verbose_name='final at')),
                ('poll_count', models.PositiveIntegerField(default=0, verbose_name='polls')),
                ('uncommon_status', models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('status__in', ['queued', 'sent', 'delivered']), _negated=True), then=models.F('status'))), output_field=models.CharField(max_length=32), verbose_name='status')),
                ('uncommon_err', models.GeneratedField(db_persist=True, expression=models.Case(models.When(err__gt=0, then=models.F('err'))), output_field=models.BigIntegerField(), verbose_name='err')),
            ],
            options={
                'verbose_name': 'SMS message',
                'verbose_name_plural': 'SMS messages',
                'permissions': [('view_recipient', "Can see recipients' numbers in full"), ('view_text', 'Can see the texts of messages'), ('resend_smsmessage', 'Can resend messages'), ('export_smsmessage', 'Can export messages')],
            },
        ),
        migrations.RunPython(set_fillfactor, migrations.RunPython.noop, hints={'model_name': 'smsmessage'}),
        migrations.CreateModel(
            name='MessageStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.CharField(choices=[('hour', 'Hour'), ('day', 'Day')], max_length=4, verbose_name='span')),
                ('starts_at', models.DateTimeField(verbose_name='starts at')),
                ('counted_at', models.DateTimeField(verbose_name='updated at')),
                ('data', models.JSONField(blank=True, default=dict, verbose_name='data')),
            ],
            options={
                'verbose_name': 'overview',
                'verbose_name_plural': 'overview',
                'constraints': [models.UniqueConstraint(fields=('span', 'starts_at'), name='messente_dlr_statistics')],
            },
        ),
        migrations.CreateModel(
            name='PendingPoll',
            fields=[
                ('message', django_messente_dlr.models.fields.PrimaryKeyOneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='pending', serialize=False, to='django_messente_dlr.smsmessage', verbose_name='message')),
                ('account', models.CharField(max_length=64, verbose_name='account')),
                ('due_at', models.DateTimeField(verbose_name='next poll at')),
            ],
            options={
                'verbose_name': 'pending poll',
                'verbose_name_plural': 'pending polls',
            },
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=models.Index(fields=['recipient'], name='messente_dlr_recipient'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=models.Index(fields=['created_at'], name='messente_dlr_created'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('omnimessage_id__gt', '')), fields=['omnimessage_id'], name='messente_dlr_omnimessage'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('uncommon_status__isnull', False)), fields=['uncommon_status', 'id'], name='messente_dlr_by_status'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('uncommon_err__isnull', False)), fields=['uncommon_err', 'id'], name='messente_dlr_by_err'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('account', 'default'), _negated=True), fields=['account', 'id'], name='messente_dlr_by_account'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('channel', 'sms'), _negated=True), fields=['channel', 'id'], name='messente_dlr_by_channel'),
        ),
        migrations.AddConstraint(
            model_name='smsmessage',
            constraint=models.UniqueConstraint(fields=('sms_unique_id',), name='messente_dlr_sms_unique_id'),
        ),
        migrations.AddConstraint(
            model_name='smsmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rank', 0), ('status', 'queued')), models.Q(('rank', 10), ('status', 'sent')), models.Q(('rank', 20), ('status', 'unresolved')), models.Q(('rank', 30), ('status', 'failed')), models.Q(('rank', 40), ('status', 'rejected')), models.Q(('rank', 50), ('status', 'delivered')), models.Q(('rank', 60), ('status', 'seen')), _connector='OR'), name='messente_dlr_status_rank'),
        ),
        migrations.AddField(
            model_name='deliveryreport',
            name='message',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='reports', to='django_messente_dlr.smsmessage', verbose_name='message'),
        ),
        migrations.AddIndex(
            model_name='pendingpoll',
            index=models.Index(fields=['due_at'], name='messente_dlr_due'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('message__isnull', False)), fields=['message'], name='messente_dlr_report_message'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('message__isnull', True), ('omnimessage_id__gt', ''), _connector='OR'), fields=['sms_unique_id'], name='messente_dlr_report_id'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('message__isnull', True)), fields=['omnimessage_id'], name='messente_dlr_report_omni'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('message__isnull', True)), fields=['token_message_id'], name='messente_dlr_report_token'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('dispatch_due_at__isnull', False)), fields=['dispatch_due_at'], name='messente_dlr_dispatch_due'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('dispatch_failed_at__isnull', False)), fields=['dispatch_failed_at'], name='messente_dlr_dispatch_fail'),
        ),
        migrations.AddIndex(
            model_name='deliveryreport',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('outcome', 'advanced'), _negated=True), fields=['outcome', 'id'], name='messente_dlr_by_outcome'),
        ),
        migrations.AddConstraint(
            model_name='deliveryreport',
            constraint=models.UniqueConstraint(fields=('fingerprint',), name='messente_dlr_fingerprint'),
        ),
    ]
