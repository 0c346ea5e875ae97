"""Measure ``prune_dlrs`` in a large table: ``python -m benchmarks.pruning [--messages 1000000]``.

There are two databases; the small one has a hundredth of the messages of the large one. Each has 5,000 messages that
are old and final. Pruning them should take the same time in both, and little memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from benchmarks.receive import databases

OLD = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--prefix", default="bench_")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        prune(arguments.database, arguments.messages, arguments.prefix)
        return
    for count in (arguments.messages // 100, arguments.messages):
        options = ["--messages", str(count), "--database", arguments.database, "--prefix", arguments.prefix, "--one"]
        subprocess.run([sys.executable, "-m", "benchmarks.pruning", *options], check=True)


def prune(database: str, count: int, prefix: str) -> None:
    """Fill a new database with ``count`` messages, prune the old ones, and print the time and the memory."""
    os.environ["BENCH_DATABASE"] = json.dumps(databases.entry(database, f"{prefix}pruning_{os.getpid()}"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.receive.settings"
    import django

    django.setup()
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone

    from django_messente_dlr.models import SmsMessage

    databases.create()
    try:
        databases.fill(database, count)
        past = timezone.now() - timedelta(days=100)
        SmsMessage.objects.filter(pk__lte=OLD).update(status="delivered", rank=50, created_at=past, finalised_at=past)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        call_command("prune_dlrs", days=30, verbosity=0)
        seconds = time.perf_counter() - began
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        pruned = count - SmsMessage.objects.count()
        print(f"{pruned:,} of {count:,} messages pruned in {seconds:.2f} s, peak memory grew by {growth:.1f} MiB")
    finally:
        databases.drop()


if __name__ == "__main__":
    main()
