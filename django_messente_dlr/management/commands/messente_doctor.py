"""``manage.py messente_doctor``: check that delivery reports can arrive, and how to correct each problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.checks import ERROR, WARNING, CheckMessage
from django.core.management.base import BaseCommand, CommandParser

from django_messente_dlr import conf
from django_messente_dlr.doctor import dashboard_urls, max_level, run_checks, send_one

EXIT_STATUSES = {"ok": 0, "warning": 1, "error": 2}


class Command(BaseCommand):
    """Run the checks of `doctor`. The exit status and the JSON are a contract for scripts."""

    help = (
        "Checks that delivery reports can arrive: the settings, the credentials and the credit, the callback URL by "
        "its public name, the clock, the database, and rows that need attention. "
        "Exit status: 0 no problem, 1 warnings, 2 errors."
    )
    requires_system_checks = []  # they are among the findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--send", metavar="NUMBER", help="Send one real SMS to this number; it costs money.")
        parser.add_argument("--account", default=conf.DEFAULT_ACCOUNT, help="The account to send from.")
        parser.add_argument("--json", action="store_true", help="Print all findings as JSON, without secrets.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in self._run_checks(options):
            findings.append(finding)
            if not options["json"]:
                self._write_finding(finding)
        status = _status(max_level(findings))
        if options["json"]:
            self.stdout.write(
                json.dumps({"status": status, "findings": list(map(_as_dict, findings))}, ensure_ascii=False)
            )
        else:
            for name, url in dashboard_urls().items():
                self._write_line("ok", f"callback URL: For Messente's dashboard, account {name}: {url}")
        if EXIT_STATUSES[status]:
            raise SystemExit(EXIT_STATUSES[status])

    def _run_checks(self, options: dict[str, Any]) -> Iterator[CheckMessage]:
        yield from run_checks()
        if options["send"]:
            yield send_one(options["send"], account=options["account"])

    def _write_finding(self, finding: CheckMessage) -> None:
        self._write_line(_status(finding.level), f"{finding.obj}: {finding.msg} ({finding.id})")
        if finding.hint:
            self.stdout.write(f"         → {finding.hint}")

    def _write_line(self, status: str, text: str) -> None:
        style = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "error": self.style.ERROR}[status]
        self.stdout.write(f"{style(f'{status:<8}')} {text}")


def _status(level: int) -> str:
    if level >= ERROR:
        return "error"
    return "warning" if level >= WARNING else "ok"


def _as_dict(finding: CheckMessage) -> dict[str, Any]:
    return {
        "level": _status(finding.level),
        "topic": finding.obj,
        "id": finding.id,
        "message": finding.msg,
        "hint": finding.hint or "",
    }
