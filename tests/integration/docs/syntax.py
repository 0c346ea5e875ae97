"""Check the syntax of a code block without running it."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from typing import Any

from tests.integration.docs.blocks import Block

SHELL = {"shell", "bash", "console"}
CRON_LINE = re.compile(r"(?:[\d*/,-]+\s+){5}[a-z]\w*\s+\S.*")


def check_syntax(block: Block) -> None:
    """Check the syntax of a block.

    Raises:
        Exception: it is wrong, or the language has no check here.
    """
    if block.language in SHELL:
        _check_shell(block.text)
    elif block.path.startswith("/etc/cron.d/"):
        _check_cron(block.text)
    else:
        CHECKS[block.language](block.text)


def _check_shell(text: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        return
    result = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def _check_cron(text: str) -> None:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines, "It has no line"
    for line in lines:
        assert CRON_LINE.fullmatch(line), line


def _check_ini(text: str) -> None:
    # systemd repeats keys.
    configparser.ConfigParser(strict=False, interpolation=None).read_string(text)


def _check_nginx(text: str) -> None:
    """Check the form: each statement ends with a semicolon or has a block, and the braces match."""
    code = re.sub(r"'[^']*'|\"[^\"]*\"", "''", re.sub(r"(?m)^\s*#.*$", "", text))
    depth = 0
    for line in filter(None, map(str.strip, code.splitlines())):
        depth += {"{": 1, "}": -1}.get(line[-1], 0)
        assert line[-1] in "{};" or line.startswith("''") or line.endswith("''"), line
        assert depth >= 0, line
    assert depth == 0, "A brace is missing"


def _check_text(text: str) -> None:
    assert text.strip(), "It is empty"


CHECKS: dict[str, Callable[[str], Any]] = {
    "python": ast.parse,
    "ini": _check_ini,
    "nginx": _check_nginx,
    "json": json.loads,
    "toml": tomllib.loads,
    "text": _check_text,
    "http": _check_text,
}
