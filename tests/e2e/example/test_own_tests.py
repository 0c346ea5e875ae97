"""The example shop's own tests, run as its developer runs them: ``manage.py test``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3] / "example_project"


def test_shop__own_tests_pass() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "manage.py", "test", "--no-input"]
    result = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    source = (PROJECT / "shop" / "tests.py").read_text()
    count = len(re.findall(r"def test_", source))
    # No test is skipped or not found.
    assert f"Ran {count} tests" in result.stderr
    assert "OK" in result.stderr.splitlines()
