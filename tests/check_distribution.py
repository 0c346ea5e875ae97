"""Look into the built distribution: what users install must be whole, and hold nothing of ours alone.

Run by the tox environment «package» with the folder that holds the wheel and the sdist.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

IN_WHEEL = (
    "django_messente_dlr/py.typed",
    "django_messente_dlr/webhook/openapi.yaml",
    "django_messente_dlr/migrations/0001_initial.py",
    "django_messente_dlr/management/commands/poll_dlrs.py",
    "django_messente_dlr/static/django_messente_dlr/admin.css",
    "django_messente_dlr/templates/admin/django_messente_dlr/overview.html",
    *(f"django_messente_dlr/locale/{language}/LC_MESSAGES/django.mo" for language in ("de", "et", "fr", "lv", "ru")),
    "django_messente_dlr/sandbox/__init__.py",
    "django_messente_dlr/testing/plugin.py",
)
IN_SDIST = (
    "README.rst",
    "LICENSE",
    "CHANGELOG.rst",
    "SECURITY.md",
    "tox.ini",
    "benchmarks/README.rst",  # the README and tox.ini speak of them
    "docs/admin-overview.png",
    "example_project/manage.py",
    "tests/settings.py",
)


def main(folder: Path) -> int:
    """Return the number of things that are wrong, each told on stderr."""
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = [name.partition("/")[2] for name in archive.getnames()]
    wrong = [f"{wheel.name} has no {name}" for name in IN_WHEEL if name not in in_wheel]
    wrong += [f"{sdist.name} has no {name}" for name in IN_SDIST if name not in in_sdist]
    ours = ("django_messente_dlr/", f"{wheel.name.partition('-py3')[0]}.dist-info/")
    wrong += [
        f"{wheel.name} has {name}, which is not the package's" for name in in_wheel if not name.startswith(ours)
    ]
    wrong += [f"{sdist.name} has {name}" for name in in_sdist if name.endswith((".pyc", ".sqlite3"))]
    for sentence in wrong:
        sys.stderr.write(f"{sentence}\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
