"""URLs of the REST API: ``path("api/messente/", include("django_messente_dlr.api.urls"))``.

Each URL works with and without its last slash.
"""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from django_messente_dlr.api.views import MessageViewSet

app_name = "django_messente_dlr_api"

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("messages", MessageViewSet, basename="message")

urlpatterns = router.urls
