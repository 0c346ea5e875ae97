"""Did everything end as it should? Compares what was expected with what is; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def differences(
    ends: Iterable[tuple[str, str, str]],
    heard: Mapping[str, int],
    expected_signals: Mapping[str, int | None],
) -> list[str]:
    """Return a sentence for everything that is not as it should be; nothing if all is well.

    Args:
        ends: for each message what to call it, the status that it should have, and the one that it has.
        heard: how often each signal was heard.
        expected_signals: how often each should have been; None for at least once.
    """
    wrong = [
        f"{name} should be {expected}, but is {actual}." for name, expected, actual in ends if expected != actual
    ]
    for signal, times in expected_signals.items():
        count = heard.get(signal, 0)
        if times is None and not count:
            wrong.append(f"{signal} should have been heard, but was not.")
        elif times is not None and count != times:
            wrong.append(f"{signal} should have been heard {times} times, but was {count} times.")
    wrong += [f"{signal} was heard, but nobody expected it." for signal in heard if signal not in expected_signals]
    return wrong
