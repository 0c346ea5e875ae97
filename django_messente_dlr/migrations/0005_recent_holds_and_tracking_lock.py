from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_messente_dlr', '0004_token_created_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='account',
            name='recent_holds',
            field=models.JSONField(blank=True, default=list, verbose_name='recent credit holds'),
        ),
        migrations.CreateModel(
            name='TrackingLock',
            fields=[
                ('account', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='account')),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
