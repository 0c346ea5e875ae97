import django.db.models.deletion
import django_messente_dlr.models.fields
import django_messente_dlr.models.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0009_cancelling'),
    ]

    operations = [
        migrations.CreateModel(
            name='QueuedMessage',
            fields=[
                ('message', django_messente_dlr.models.fields.PrimaryKeyOneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='queued', serialize=False, to='django_messente_dlr.smsmessage', verbose_name='message')),
                ('account', models.CharField(max_length=64, verbose_name='account')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
                ('priority', models.SmallIntegerField(choices=[(10, 'Low'), (20, 'Regular'), (30, 'High')], default=20, verbose_name='priority')),
                ('due_at', models.DateTimeField(blank=True, null=True, verbose_name='due at')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('leased_until', models.DateTimeField(blank=True, null=True, verbose_name='reserved until')),
                ('attempted_at', models.DateTimeField(blank=True, null=True, verbose_name='attempted at')),
            ],
            options={
                'verbose_name': 'queued message',
                'verbose_name_plural': 'queued messages',
                'indexes': [django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('attempted_at__isnull', True)), fields=['account', 'priority', 'due_at'], name='messente_dlr_queue_due'), django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('attempted_at__isnull', False)), fields=['attempted_at'], name='messente_dlr_queue_attempted')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('attempted_at__isnull', True), ('due_at__isnull', False)), models.Q(('attempted_at__isnull', False), ('due_at__isnull', True)), _connector='OR'), name='messente_dlr_queue_state'), models.CheckConstraint(condition=models.Q(('priority__in', [10, 20, 30])), name='messente_dlr_queue_priority')],
            },
        ),
    ]
