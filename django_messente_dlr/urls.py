"""Route to the callback view: ``path("messente/", include("django_messente_dlr.urls"))`` in a project's URLs."""

from __future__ import annotations

from django.urls import path, re_path

from django_messente_dlr.webhook.views import callback

app_name = "django_messente_dlr"

urlpatterns = [
    # `reverse()` uses the named patterns. The others accept the same paths without the trailing slash.
    path("dlr/<str:token>/", callback, name="callback"),
    path("dlr/", callback, name="webhook"),
    # The pattern also matches a token with any suffix. Without a match Django would respond 404 and log the path,
    # which contains the token.
    re_path(r"^dlr/(?P<token>[\s\S]+)\Z", callback),
    re_path(r"^dlr\Z", callback),
]
