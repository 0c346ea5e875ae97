from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0008_overridden'),
    ]

    operations = [
        migrations.AlterField(
            model_name='deliveryreport',
            name='source',
            field=models.CharField(choices=[('callback', 'Callback'), ('omnichannel', 'Omnichannel callback'), ('poll', 'Poll'), ('send', 'Response to sending'), ('cancel', 'Response to cancelling')], max_length=32, verbose_name='source'),
        ),
    ]
