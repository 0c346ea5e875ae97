"""``manage.py messente_doctor``: is everything set up so that reports come? Each line says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from django_messente_dlr import conf
from django_messente_dlr.doctor import Finding, Level, max_level, run_checks, send_one


class Command(BaseCommand):
    """An examination as a contract: its exit status is that of the worst finding."""

    help = (
        "Looks whether delivery reports can come: settings, credentials and credit, the callback URL by its public "
        "name, the clock, the database, and what waits for a person. Exit status: 0 all well, 1 warnings, 2 errors."
    )
    requires_system_checks = []  # they are among what is told

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--send", metavar="NUMBER", help="Send one real SMS to this number; it costs money.")
        parser.add_argument("--account", default=conf.DEFAULT_ACCOUNT, help="The account to send from.")
        parser.add_argument("--json", action="store_true", help="Print all findings as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in self._run_checks(options):
            findings.append(finding)
            if not options["json"]:
                self._show(finding)
        level = max_level(findings)
        if options["json"]:
            told = [
                {"level": item.level.name.lower(), "topic": item.topic, "message": item.msg, "hint": item.hint}
                for item in findings
            ]
            self.stdout.write(json.dumps({"status": level.name.lower(), "findings": told}, ensure_ascii=False))
        if level:
            raise SystemExit(int(level))

    def _run_checks(self, options: dict[str, Any]) -> Iterator[Finding]:
        yield from run_checks()
        if options["send"]:
            yield send_one(options["send"], account=options["account"])

    def _show(self, finding: Finding) -> None:
        styles: dict[Level, Callable[[str], str]] = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.ERROR: self.style.ERROR,
        }
        mark = styles[finding.level](f"{finding.level.name.lower():<8}")
        self.stdout.write(f"{mark} {finding.topic}: {finding.msg} {finding.secret}".rstrip())
        if finding.hint:
            self.stdout.write(f"         → {finding.hint}")
