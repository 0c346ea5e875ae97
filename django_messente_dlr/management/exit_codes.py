"""The exit statuses of the commands that run unattended, for scripts and for systemd."""

from __future__ import annotations

FAILED, MISCONFIGURED, NO_DATABASE = 1, 2, 3
