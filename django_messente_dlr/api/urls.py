"""``path("api/messente/", include("django_messente_dlr.api.urls"))``, with and without the last slash."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from django_messente_dlr.api.views import MessageViewSet

app_name = "django_messente_dlr_api"

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("messages", MessageViewSet, basename="message")

urlpatterns = router.urls
