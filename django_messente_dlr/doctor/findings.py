"""What the doctor found: one thing, how bad it is, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Level(enum.IntEnum):
    """How bad a finding is; its number is the exit status of ``messente_doctor``."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: how bad it is.
        topic: what was looked at, in a word or two.
        msg: what was found, in a sentence without secrets.
        hint: what to do, in a sentence; "" where nothing is to be done.
        secret: what only a person at the terminal is to see of it, and no log.
    """

    level: Level
    topic: str
    msg: str
    hint: str = ""
    secret: str = ""


def ok(topic: str, msg: str, *, secret: str = "") -> Finding:
    """Return a finding that all is well."""
    return Finding(Level.OK, topic, msg, secret=secret)


def warning(topic: str, msg: str, hint: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(Level.WARNING, topic, msg, hint)


def error(topic: str, msg: str, hint: str) -> Finding:
    """Return a finding that loses reports, or messages."""
    return Finding(Level.ERROR, topic, msg, hint)


def max_level(findings: Iterable[Finding]) -> Level:
    """Return the level of the worst of the findings."""
    return max((finding.level for finding in findings), default=Level.OK)
