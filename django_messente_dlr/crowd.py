"""Where reports come in a crowd, one takes along the notes that the signals of the last few were sent.

A trip of its own costs as much as the report did, where a database waits for its disk. What no report takes along, a
thread writes within a second or so. If the process dies before, the sweep sends the signals of these few reports
again, as it does where one dies that has not begun to note.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connections
from django.utils import timezone

from django_messente_dlr import notes
from django_messente_dlr.notes import Note

logger = logging.getLogger(__name__)

# So many reports within so many seconds, of which somebody was told by this process, are a crowd.
CROWD = 20
LATELY = 1.0
# So many notes go along with one report: an UPDATE of four rows takes little longer than that of one.
GROUP = 4
TICK = 0.5  # seconds for which the thread leaves a note to the next reports
# A thread that sleeps for so many seconds longer than it wanted to is in a process that is frozen between requests
# (a serverless host, an old uWSGI without threads): there a crowd's last notes may wait for the next request.
OVERSLEPT = 5.0
UNNOTED_AT_THE_END = "That signals were sent could not be noted as the process ended (%s): they are sent again."
UNNOTED = "That the signals of delivery report %s were sent could not be noted (%s): they are sent again."


class Crowd:
    """The notes of one process for one database.

    Args:
        alias: the database.
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._lately: deque[float] = deque(maxlen=CROWD)
        self._notes: deque[Note] = deque()  # for the next reports
        self._late: deque[Note] = deque()  # for the thread
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._may_wait = not _is_in_memory(alias)

    def take_in(self, note: Note) -> bool:
        """Keep a note for one of the next reports, if there is a crowd; return whether it is kept."""
        now = time.monotonic()
        self._lately.append(now)
        if not self._may_wait or len(self._lately) < CROWD or now - self._lately[0] > LATELY:
            return False
        with self._lock:
            if not self._have_watched():
                return False
            self._notes.append(note)
        return True

    def hand_out(self) -> Sequence[Note]:
        """Return some of the notes, once enough of them wait; they are the caller's to write, or to give back."""
        if len(self._notes) < GROUP:
            return ()
        with self._lock:
            return [self._notes.popleft() for _ in range(GROUP)] if len(self._notes) >= GROUP else ()

    def give_back(self, taken: Sequence[Note]) -> None:
        """Have notes written by the thread, where that was not done or is not known; twice does no harm.

        No other report takes them along: should one of them be the trouble, it is not to be theirs.
        """
        with self._lock:
            self._late.extend(taken)
            self._have_watched()

    def write(self, those: Collection[Note] | None = None) -> None:
        """Write the notes that were given back, and those that wait.

        Args:
            those: which of these that wait; None for all.

        Raises:
            Error: the database's trouble does not pass. The notes are kept.
        """
        with self._lock:
            for note in list(self._notes) if those is None else those:
                with contextlib.suppress(ValueError):  # a report has taken it along meanwhile
                    self._notes.remove(note)
                    self._late.append(note)
        while True:
            try:
                note = self._late.popleft()
            except IndexError:
                return
            try:
                notes.write(self._alias, note)
            except Exception:
                self._late.append(note)
                raise

    def _have_watched(self) -> bool:
        """Have the thread run; return whether it does."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._watch, name="messente-dlr-crowd", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is about to end, or the system has no thread left
                return False
            self._thread = thread
        return True

    def _watch(self) -> None:
        seen: list[Note] = []
        while True:
            self._sleep()
            self._write_late(seen)
            with self._lock:
                seen = list(self._notes)
                if not seen and not self._late:
                    self._thread = None
                    return

    def _sleep(self) -> None:
        began = time.time()  # a frozen machine's monotonic clock may stand still
        time.sleep(TICK)
        if time.time() - began > TICK + OVERSLEPT:
            self._may_wait = False

    def _write_late(self, seen: Collection[Note]) -> None:
        """Write the notes that were there a tick ago, too; drop those whose signals are about to be sent again."""
        try:
            self.write(seen)
        except Exception as exc:  # noqa: BLE001 - it is tried again at the next tick
            now = timezone.now()
            for note in [note for note in list(self._late) if note.due is None or note.due < now]:
                self._late.remove(note)
                logger.warning(UNNOTED, note.pk, type(exc).__name__)
        finally:
            connections[self._alias].close()


def _is_in_memory(alias: str) -> bool:
    """Tell whether it is SQLite in memory, where tests are: it waits for no disk, and is no place for a thread."""
    connection: Any = connections[alias]
    return bool(connection.vendor == "sqlite" and connection.is_in_memory_db())


_crowds: dict[str, Crowd] = {}


def of(alias: str) -> Crowd:
    """Return this process's notes for a database."""
    found = _crowds.get(alias)
    return found if found is not None else _crowds.setdefault(alias, Crowd(alias))


@atexit.register
def write_all() -> None:
    """Write this process's notes, as it is about to end."""
    for crowd in _crowds.values():
        try:
            crowd.write()
        except Exception as exc:  # noqa: BLE001 - it is the end
            logger.warning(UNNOTED_AT_THE_END, type(exc).__name__)


if hasattr(os, "register_at_fork"):  # not on Windows
    # The notes are the parent's, and so is the thread.
    os.register_at_fork(after_in_child=_crowds.clear)
