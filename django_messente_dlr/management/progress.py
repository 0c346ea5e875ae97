"""A progress bar on a terminal, drawn by tqdm if it is installed (``django-messente-dlr[progress]``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


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


def _import_tqdm() -> type | None:
    try:
        from tqdm import tqdm  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return tqdm
