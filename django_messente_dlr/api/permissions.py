"""The permission to read: Django's "view" permission of the model."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.permissions import DjangoModelPermissions

VIEW = "%(app_label)s.view_%(model_name)s"


class ViewPermission(DjangoModelPermissions):
    """Require the "view" permission to read. The base class admits any authenticated user to read."""

    perms_map: ClassVar[dict[str, list[str]]] = {  # type: ignore[misc]
        **DjangoModelPermissions.perms_map,
        "GET": [VIEW],
        "HEAD": [VIEW],
        "OPTIONS": [VIEW],
    }
