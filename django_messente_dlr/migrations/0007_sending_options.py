from typing import Any

import django.db.models.deletion
import django_messente_dlr.models.fields
import django_messente_dlr.models.indexes
from django.db import migrations, models


def set_send_at(apps: Any, schema_editor: Any) -> None:
    # The 48 hours of a message without sent_at began when it was created; that stays so for the existing messages.
    messages = apps.get_model('django_messente_dlr', 'SmsMessage').objects.using(schema_editor.connection.alias)
    messages.filter(status='queued', sent_at=None).update(send_at=models.F('created_at'))


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0006_overview_first'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='smsmessage',
            options={'permissions': [('view_recipient', "Can see recipients' numbers in full"), ('view_text', 'Can see the texts of messages'), ('resend_smsmessage', 'Can resend messages'), ('cancel_smsmessage', 'Can cancel messages'), ('export_smsmessage', 'Can export messages'), ('erase_recipient', "Can erase recipients' numbers")], 'verbose_name': 'SMS message', 'verbose_name_plural': 'SMS messages'},
        ),
        migrations.RemoveConstraint(
            model_name='smsmessage',
            name='messente_dlr_status_rank',
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='channel_count',
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='number of channels'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='channels',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, verbose_name='channels'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='options',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, verbose_name='options'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='reference',
            field=django_messente_dlr.models.fields.CaseSensitiveCharField(blank=True, db_default='', default='', max_length=128, verbose_name='reference'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='resend_of',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='resends', to='django_messente_dlr.smsmessage', verbose_name='resend of'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='send_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='to be sent at'),
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='validity',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='validity in seconds'),
        ),
        migrations.AlterField(
            model_name='deliveryreport',
            name='outcome',
            field=models.CharField(choices=[('advanced', 'Status changed'), ('enriched', 'Details added'), ('channel_failed', 'One channel failed'), ('stale', 'No change'), ('orphan', 'No matching message (orphan)'), ('unreadable', 'Unrecognised status')], max_length=32, verbose_name='outcome'),
        ),
        migrations.AlterField(
            model_name='deliveryreport',
            name='previous',
            field=models.CharField(blank=True, choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='', max_length=32, verbose_name='previous status'),
        ),
        migrations.AlterField(
            model_name='deliveryreport',
            name='status',
            field=models.CharField(blank=True, choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='', max_length=32, verbose_name='status'),
        ),
        migrations.AlterField(
            model_name='smsmessage',
            name='status',
            field=models.CharField(choices=[('queued', 'Queued'), ('sent', 'Sent'), ('unresolved', 'Unresolved'), ('failed', 'Failed'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('delivered', 'Delivered'), ('seen', 'Seen')], default='queued', max_length=32, verbose_name='status'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('reference__gt', '')), fields=['reference'], name='messente_dlr_reference'),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('resend_of__isnull', False)), fields=['resend_of'], name='messente_dlr_resend_of'),
        ),
        migrations.AddConstraint(
            model_name='smsmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rank', 0), ('status', 'queued')), models.Q(('rank', 10), ('status', 'sent')), models.Q(('rank', 20), ('status', 'unresolved')), models.Q(('rank', 30), ('status', 'failed')), models.Q(('rank', 40), ('status', 'rejected')), models.Q(('rank', 45), ('status', 'cancelled')), models.Q(('rank', 50), ('status', 'delivered')), models.Q(('rank', 60), ('status', 'seen')), _connector='OR'), name='messente_dlr_status_rank'),
        ),
        migrations.RunPython(set_send_at, migrations.RunPython.noop, hints={'model_name': 'smsmessage'}),
    ]
