import django.db.models.deletion
import django_messente_dlr.models.fields
import django_messente_dlr.models.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0010_queued_message'),
    ]

    operations = [
        migrations.CreateModel(
            name='ResendContent',
            fields=[
                ('message', django_messente_dlr.models.fields.PrimaryKeyOneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='django_messente_dlr.smsmessage', verbose_name='message')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
            ],
            options={
                'verbose_name': 'content to send again',
                'verbose_name_plural': 'contents to send again',
            },
        ),
        migrations.AddField(
            model_name='smsmessage',
            name='attempt',
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='resend attempt'),
        ),
        migrations.AddConstraint(
            model_name='smsmessage',
            constraint=django_messente_dlr.models.indexes.PartialUniqueIfSupported(condition=models.Q(('attempt__isnull', False)), fields=('resend_of', 'attempt'), name='messente_dlr_resend_attempt'),
        ),
    ]
