from typing import Any

import django_messente_dlr.models.indexes
from django.db import migrations, models
from django.db.models import Exists, OuterRef


def flag_messages(apps: Any, schema_editor: Any) -> None:
    # The new column is False for the existing messages without a write to each. Those that lack their poll need True.
    using = schema_editor.connection.alias
    polls = apps.get_model('django_messente_dlr', 'PendingPoll').objects.using(using).filter(message=OuterRef('pk'))
    messages = apps.get_model('django_messente_dlr', 'SmsMessage').objects.using(using)
    messages.filter(~Exists(polls), status__in=['queued', 'sent']).update(may_lack_poll=True)


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0002_erase_recipient_permission'),
    ]

    operations = [
        migrations.AddField(
            model_name='smsmessage',
            name='may_lack_poll',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name='smsmessage',
            index=django_messente_dlr.models.indexes.PartialIndexIfSupported(condition=models.Q(('may_lack_poll', True)), fields=['may_lack_poll', 'id'], name='messente_dlr_lacks_poll'),
        ),
        # After the index: PostgreSQL ignores an index of rows that its transaction has changed before, until all
        # older transactions have ended.
        migrations.RunPython(flag_messages, migrations.RunPython.noop, hints={'model_name': 'smsmessage'}),
        migrations.AlterField(
            model_name='smsmessage',
            name='may_lack_poll',
            field=models.BooleanField(db_default=True, default=True, editable=False),
        ),
    ]
