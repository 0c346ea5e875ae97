"""The exit statuses of the commands that work by themselves: what went wrong, for scripts and for systemd."""

from __future__ import annotations

FAILED, MISCONFIGURED, NO_DATABASE = 1, 2, 3
