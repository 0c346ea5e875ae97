"""Compare ``send_sms`` on each API with ``requests.post``: ``python -m benchmarks.sending [--database postgres]``.

All send to one sandbox in another process, over loopback. Each way has one turn in each round, in a random order. A
ratio is the time of ``send_sms`` divided by that of ``requests.post`` to the same API in the same round.

``requests.post`` opens a connection for every message and stores nothing. ``send_sms`` keeps its connection open. It
commits a row before the request, and an update after it. At the end, every accepted message must have its row.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median

import requests

from benchmarks.receive.__main__ import DATABASES
from benchmarks.receive.medians import confidence_interval
from benchmarks.receive.series import Plan, empty_database
from benchmarks.receive.table import machine

NUMBER, TEXT = "+37255500000", "Your parcel is here"
BARE, OURS = "requests.post", "send_sms"
Way = tuple[str, str]  # the API, and BARE or OURS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--messages", type=int, default=200, help="messages in a turn")
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.database};")
    print(f"medians of {arguments.rounds} interleaved rounds of {arguments.messages} messages\n")
    with empty_database(Plan(arguments.database, "", [], 0, 0, 0, 0, "sending_")):
        print(table(measure(arguments.messages, arguments.rounds)))


def measure(messages: int, rounds: int) -> dict[Way, list[float]]:
    """Return the milliseconds per message of each way in each round.

    Raises:
        RuntimeError: a message was not accepted, or has no row.
    """
    from django.conf import settings
    from django.test import override_settings

    from django_messente_dlr.models import SmsMessage

    config = settings.MESSENTE_DLR
    with running_sandbox(config["USERNAME"], config["PASSWORD"]) as (url, omnichannel_url):
        # Without a base URL, no callback URL is sent: otherwise the time of the callbacks would be measured, too.
        values = {"API_HOSTS": [url], "OMNICHANNEL_URL": omnichannel_url, "CALLBACK_BASE_URL": ""}
        credentials = (config["USERNAME"], config["PASSWORD"])
        bare: dict[str, Callable[[], None]] = {
            "omnichannel": partial(post_json, f"{omnichannel_url}/omnimessage", credentials),
            "sms": partial(post_form, f"{url}/send_sms/", credentials),
        }
        ways = [(api, kind) for api in bare for kind in (BARE, OURS)]
        results: dict[Way, list[float]] = {way: [] for way in ways}
        for number in range(-1, rounds):  # the first round is not counted: it fills caches and opens connections
            random.shuffle(ways)
            for api, kind in ways:
                with override_settings(MESSENTE_DLR={**config, **values, "SEND_API": api}):
                    duration = time_of(bare[api] if kind == BARE else send_by_package, messages)
                if number >= 0:
                    results[api, kind].append(duration)
    expected = 2 * messages * (rounds + 1)
    if SmsMessage.objects.filter(status="sent").count() != expected:
        raise RuntimeError(f"Not all of {expected} accepted messages have a row.")
    return results


def time_of(send: Callable[[], None], messages: int) -> float:
    """Return how many milliseconds a message takes."""
    began = time.perf_counter()
    for _ in range(messages):
        send()
    return (time.perf_counter() - began) / messages * 1000


def send_by_package() -> None:
    from django_messente_dlr.sending import send_sms

    send_sms(NUMBER, TEXT)


def post_json(url: str, credentials: tuple[str, str], /) -> None:
    """Send an SMS by the Omnichannel API."""
    payload = {"to": NUMBER, "messages": [{"channel": "sms", "text": TEXT}]}
    if requests.post(url, json=payload, auth=credentials, timeout=10).status_code != 201:
        raise RuntimeError("The sandbox did not accept the message.")


def post_form(url: str, credentials: tuple[str, str], /) -> None:
    """Send an SMS by the SMS API."""
    payload = {"username": credentials[0], "password": credentials[1], "to": NUMBER, "text": TEXT}
    if not requests.post(url, data=payload, timeout=10).text.startswith("OK"):
        raise RuntimeError("The sandbox did not accept the message.")


@contextmanager
def running_sandbox(username: str, password: str) -> Iterator[tuple[str, str]]:
    """Run a sandbox in another process, and yield the URLs of its two APIs."""
    context = get_context("spawn")
    connection, remote = context.Pipe()
    process = context.Process(target=serve_sandbox, args=(remote, username, password), daemon=True)
    process.start()
    try:
        if not connection.poll(30):
            raise RuntimeError("The sandbox did not start.")
        yield connection.recv()
    finally:
        process.terminate()
        process.join()


def serve_sandbox(connection: Connection, username: str, password: str) -> None:
    """Run a sandbox until the process is terminated."""
    from django_messente_dlr.sandbox import Sandbox

    with Sandbox({username: password}) as sandbox:
        connection.send((sandbox.url, sandbox.omnichannel_url))
        connection.recv()


def table(results: dict[Way, list[float]]) -> str:
    """Return the medians, and the ratios within each round with their 95 % interval, in reStructuredText."""
    line = "  ".join("=" * width for width in (12, 14, 14, 20))
    rows = [line, f"{'API':12}  {'way':14}  {'ms per message':14}  ratio (95 %)", line]
    for (api, kind), durations in results.items():
        ratios = [duration / peer for duration, peer in zip(durations, results[api, BARE], strict=True)]
        low, high = confidence_interval(ratios)
        ratio = "1" if kind == BARE else f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"
        rows.append(f"{api:12}  {kind:14}  {median(durations):<14.2f}  {ratio}")
    return "\n".join([*rows, line])


if __name__ == "__main__":
    main()
