"""An app that looks on."""

from __future__ import annotations

from django.apps import AppConfig


class WitnessConfig(AppConfig):
    name = "tests.delivery.witness"

    def ready(self) -> None:
        from tests.delivery.witness import hearing

        hearing.begin()
