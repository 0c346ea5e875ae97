"""Measure what the app adds to the start of a Django project: ``python -m benchmarks.startup [--rounds 9]``.

Each run is a new process: Django alone, with Django REST framework, or with the package too. The process prints how
long ``django.setup()`` and the import of the URLs took, and its resident memory afterwards.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

PROJECTS: dict[str, tuple[list[str], str]] = {
    "bare Django": (["django.contrib.auth", "django.contrib.contenttypes"], ""),
    "with REST framework": (["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"], ""),
    "with the package": (
        ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_messente_dlr"],
        "django_messente_dlr.urls",
    ),
}
PROGRAM = """
import sys, time
began = time.perf_counter()
import django
from django.conf import settings
settings.configure(INSTALLED_APPS={apps!r}, SECRET_KEY="x" * 50, ROOT_URLCONF={urls!r} or "django.conf.urls",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    MESSENTE_DLR={{"USERNAME": "a", "PASSWORD": "b"}})
django.setup()
if {urls!r}:
    from importlib import import_module
    import_module({urls!r})
seconds = time.perf_counter() - began
import os
pages = int(open("/proc/self/statm").read().split()[1])
print(seconds * 1000, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in PROJECTS}
    for _ in range(rounds):
        for name, (apps, urls) in PROJECTS.items():
            program = PROGRAM.format(apps=apps, urls=urls)
            process = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
            milliseconds, memory = map(float, process.stdout.split())
            results[name].append((milliseconds, memory))
    for name, pairs in results.items():
        times = sorted(milliseconds for milliseconds, _ in pairs)
        memory = median(memory for _, memory in pairs)
        print(f"{name:22} {median(times):6.0f} ms ({times[0]:.0f} to {times[-1]:.0f})   {memory:5.1f} MiB")


if __name__ == "__main__":
    main()
