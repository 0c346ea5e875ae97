from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0007_sending_options'),
    ]

    operations = [
        migrations.AddField(
            model_name='smsmessage',
            name='overridden',
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name='recipient overridden'),
        ),
    ]
