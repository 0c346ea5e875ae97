"""An app that records the signals of its process."""

from __future__ import annotations

from django.apps import AppConfig


class WitnessConfig(AppConfig):
    name = "tests.integration.processes.witness"

    def ready(self) -> None:
        from tests.integration.processes.witness import signal_log

        signal_log.start()
