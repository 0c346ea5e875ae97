"""A progress bar on a terminal, drawn by tqdm where that is installed (``django-messente-dlr[progress]``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(*, total: Callable[[], int], shown: bool) -> Iterator[Callable[[int], object] | None]:
    """Yield what is to be told how much more is done, or None where no bar is wanted, possible or seen by anybody.

    Args:
        total: counts what is to be done; only called where there is a bar.
        shown: whether a bar is wanted.
    """
    tqdm = _tqdm() if shown else None
    if tqdm is None:
        yield None
        return
    # disable=None: none where standard error is no terminal.
    with tqdm(disable=None, unit=" messages", leave=False, dynamic_ncols=True) as bar:
        if not bar.disable:
            bar.reset(total())
        yield bar.update


def _tqdm() -> type | None:
    try:
        from tqdm import tqdm  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return tqdm
