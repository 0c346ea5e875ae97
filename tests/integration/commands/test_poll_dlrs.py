"""``poll_dlrs`` as a process of its own, as a shell or systemd starts it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.processes import django_admin, environment, run


def test_poll_dlrs__sigterm(tmp_path: Path) -> None:
    """SIGTERM ends ``--watch`` in the middle of its pause, with the exit status 0."""
    run("migrate", "--verbosity=0", folder=tmp_path).check_returncode()
    command = django_admin("poll_dlrs", "--watch=600")
    with subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("asked 0")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_poll_dlrs__settings_with_errors(tmp_path: Path) -> None:
    """A failed system check ends with status 2, after which systemd does not restart (RestartPreventExitStatus=2)."""
    (tmp_path / "wrong.py").write_text("from tests.settings import *\nMESSENTE_DLR = {'USERNAME': 'shop'}\n")
    ended = run("poll_dlrs", folder=tmp_path, settings="wrong")
    assert ended.returncode == 2
    assert "django_messente_dlr.E005" in ended.stderr
