"""The settings of the tests' project."""

from __future__ import annotations

SECRET_KEY = "a key for the tests alone, long enough for Django's own checks to be content"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
USE_TZ = True
TIME_ZONE = "Europe/Tallinn"
USE_I18N = True
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_messente_dlr",
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

MESSENTE_DLR = {
    "ACCOUNTS": {
        "default": {"USERNAME": "shop", "PASSWORD": "a-password", "PREVIOUS_PASSWORDS": ["an-older-password"]},
        "marketing": {"USERNAME": "news", "PASSWORD": "another-password"},
    },
    "CALLBACK_BASE_URL": "https://shop.example.com",
    # Nothing listens there: a test that means to reach Messente says where it is.
    "API_HOSTS": ["http://127.0.0.1:9", "http://127.0.0.1:9"],
    "OMNICHANNEL_URL": "http://127.0.0.1:9/v1",
}
