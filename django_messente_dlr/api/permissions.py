"""Who may read: whoever Django's «view» permission lets."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.permissions import DjangoModelPermissions

VIEW = "%(app_label)s.view_%(model_name)s"


class ViewPermission(DjangoModelPermissions):
    """Asks for the «view» permission to read, where the base class lets in whoever has logged in."""

    perms_map: ClassVar[dict[str, list[str]]] = {  # type: ignore[misc]
        **DjangoModelPermissions.perms_map,
        "GET": [VIEW],
        "HEAD": [VIEW],
        "OPTIONS": [VIEW],
    }
