"""``path("messente/", include("django_messente_dlr.urls"))``: the callback door, with and without the last slash."""

from __future__ import annotations

from django.urls import path, re_path

from django_messente_dlr.webhook.views import callback

app_name = "django_messente_dlr"

urlpatterns = [
    # The first of each pair is the one that is handed out.
    path("dlr/<str:token>/", callback, name="callback"),
    path("dlr/", callback, name="webhook"),
    # With whatever follows it: of a path that nobody serves Django's log would keep the token.
    re_path(r"^dlr/(?P<token>[\s\S]+)\Z", callback),
    re_path(r"^dlr\Z", callback),
]
