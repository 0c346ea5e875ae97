"""What the app adds to a bare Django project when it starts: ``python -m benchmarks.starting [--rounds 9]``.

Processes of their own, by turns: Django with nothing, with Django REST framework, and with us as well; each says how
long ``django.setup()`` and the reading of its URLs took, and its resident memory afterwards.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

PROJECTS: dict[str, tuple[list[str], str]] = {
    "bare Django": (["django.contrib.auth", "django.contrib.contenttypes"], ""),
    "with REST framework": (["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"], ""),
    "with us": (
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
took = time.perf_counter() - began
import os
pages = int(open("/proc/self/statm").read().split()[1])
print(took * 1000, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starting", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    told: dict[str, list[tuple[float, float]]] = {name: [] for name in PROJECTS}
    for _ in range(rounds):
        for name, (apps, urls) in PROJECTS.items():
            program = PROGRAM.format(apps=apps, urls=urls)
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
            took, memory = map(float, done.stdout.split())
            told[name].append((took, memory))
    for name, results in told.items():
        took = sorted(result[0] for result in results)
        memory = median(result[1] for result in results)
        print(f"{name:22} {median(took):6.0f} ms ({took[0]:.0f} to {took[-1]:.0f})   {memory:5.1f} MiB")


if __name__ == "__main__":
    main()
