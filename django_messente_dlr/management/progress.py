"""A progress bar on a terminal, drawn by tqdm if it is installed (``django-messente-dlr[progress]``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from django.utils import timezone


class RowsWithDueTime(Protocol):
    """A queryset with the method ``due``."""

    def due(self, now: Any) -> Any:
        """Return the rows that are due at ``now``."""


@contextmanager
def progress(*, total: Callable[[], int], shown: bool) -> Iterator[Callable[[int], object] | None]:
    """Show a progress bar and yield a function that advances it, or yield None.

    The function takes the number of further finished messages. None is yielded if no bar is requested or tqdm is not
    installed. On a standard error that is not a terminal the function has no effect.

    Args:
        total: returns the number of messages; called only if a bar is shown.
        shown: whether a bar is requested.
    """
    tqdm = _import_tqdm() if shown else None
    if tqdm is None:
        yield None
        return
    # disable=None disables the bar if standard error is not a terminal.
    with tqdm(disable=None, unit=" messages", leave=False, dynamic_ncols=True) as bar:
        if not bar.disable:
            bar.reset(total())
        yield bar.update


def run_progress(
    rows: RowsWithDueTime, options: dict[str, Any]
) -> AbstractContextManager[Callable[[int], object] | None]:
    """Show the progress of one run of a command that handles what is due, unless its output is for scripts.

    Args:
        rows: the rows that the run may handle.
        options: the options of the command line.
    """
    return progress(
        total=lambda: min(rows.due(timezone.now()).count(), options["limit"] or 10**9),
        shown=not options["json"] and options["watch"] is None and options["verbosity"] > 0,
    )


def _import_tqdm() -> type | None:
    try:
        from tqdm import tqdm  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return tqdm
