"""Compare the expected statuses and signals of the demo with the actual ones, without the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def find_differences(
    statuses: Iterable[tuple[str, str, str]],
    signal_counts: Mapping[str, int],
    expected_signals: Mapping[str, int | None],
) -> list[str]:
    """Return a sentence for each difference; an empty list if there is none.

    Args:
        statuses: for each message a name, the expected status and the actual status.
        signal_counts: how often each signal was sent.
        expected_signals: how often each signal is expected; None for at least once.
    """
    differences = [
        f"{name} should be {expected}, but is {actual}." for name, expected, actual in statuses if expected != actual
    ]
    for signal, times in expected_signals.items():
        count = signal_counts.get(signal, 0)
        if times is None and not count:
            differences.append(f"{signal} was expected, but was not sent.")
        elif times is not None and count != times:
            differences.append(f"{signal} was expected {times} times, but was sent {count} times.")
    differences += [f"{signal} was sent unexpectedly." for signal in signal_counts if signal not in expected_signals]
    return differences
