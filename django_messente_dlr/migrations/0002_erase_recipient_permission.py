from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='smsmessage',
            options={
                'verbose_name': 'SMS message',
                'verbose_name_plural': 'SMS messages',
                'permissions': [('view_recipient', "Can see recipients' numbers in full"), ('view_text', 'Can see the texts of messages'), ('resend_smsmessage', 'Can resend messages'), ('export_smsmessage', 'Can export messages'), ('erase_recipient', "Can erase recipients' numbers")],
            },
        ),
    ]
