"""Check the built wheel and sdist: they contain the files that users need, and no files of the development.

The tox environment "package" runs this script with the directory that contains the wheel and the sdist.
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
    "CONTRIBUTING.rst",
    "SECURITY.md",
    "tox.ini",
    "benchmarks/README.rst",  # README.rst and tox.ini refer to the benchmarks
    "docs/images/admin-overview.png",
    "example_project/manage.py",
    "tests/settings.py",
)


def main(folder: Path) -> int:
    """Return the number of errors, and write each one to stderr.

    Args:
        folder: the directory that contains one wheel and one sdist.
    """
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        wheel_names = archive.namelist()
    with tarfile.open(sdist) as archive:
        sdist_names = [name.partition("/")[2] for name in archive.getnames()]
    errors = [f"{wheel.name} does not contain {name}" for name in IN_WHEEL if name not in wheel_names]
    errors += [f"{sdist.name} does not contain {name}" for name in IN_SDIST if name not in sdist_names]
    prefixes = ("django_messente_dlr/", f"{wheel.name.partition('-py3')[0]}.dist-info/")
    errors += [
        f"{wheel.name} contains {name}, which is not part of the package"
        for name in wheel_names
        if not name.startswith(prefixes)
    ]
    errors += [f"{sdist.name} contains {name}" for name in sdist_names if name.endswith((".pyc", ".sqlite3"))]
    for error in errors:
        sys.stderr.write(f"{error}\n")
    return len(errors)


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
