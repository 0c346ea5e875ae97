"""An app that looks on."""

from __future__ import annotations

from django.apps import AppConfig


class WitnessConfig(AppConfig):
    name = "tests.integration.processes.witness"

    def ready(self) -> None:
        from tests.integration.processes.witness import hearing

        hearing.begin()
