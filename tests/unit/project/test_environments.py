"""The environments of tox.ini run on a machine with any one supported Python."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Environments that run by name only, and that are about one version of Python.
ABOUT_ONE_VERSION = {"testenv:lowest"}


def test_base_python__any_python_by_default() -> None:
    # tox-uv uses the first of several names only, and the environment is skipped if that interpreter is missing.
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    lines = {
        (section, line)
        for section in set(parser.sections()) - ABOUT_ONE_VERSION
        for line in parser[section].get("base_python", "").strip().splitlines()
    }
    assert len(lines) >= 3
    assert [line for _, line in sorted(lines) if not line.removesuffix("}").endswith((" python3", ":python3"))] == []
