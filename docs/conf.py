"""Configuration of Sphinx. ``tox -e docs`` builds the documentation without the network.

With ``DOCS_ONLINE=1`` in the environment, names of Python and Django become links to their documentation, and the
builder ``linkcheck`` checks external links. The hosted workflow and Read the Docs set it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings

import django_messente_dlr

ONLINE = os.environ.get("DOCS_ONLINE") == "1"

# autodoc imports the models and the views.
settings.configure(
    SECRET_KEY="a key for the documentation",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django_messente_dlr",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
django.setup()

project = "django-messente-dlr"
author = "The django-messente-dlr team"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = django_messente_dlr.__version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "code_tables"]
nitpicky = True
# Notes for the authors.
exclude_patterns = ["_*"]
# `name` without a role is text in a docstring, and is not meant as a link.
default_role = "literal"
highlight_language = "python"
pygments_style = "friendly"
pygments_dark_style = "monokai"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
# Most attributes of the records are described in the docstring of their class, and need no second list.
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

if ONLINE:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "django": ("https://docs.djangoproject.com/en/stable/", "https://docs.djangoproject.com/en/stable/_objects/"),
    }
# Names of other packages have no target here. Those of this package must have one, or be a literal.
nitpick_ignore_regex = [
    ("py:.*", r"(?!django_messente_dlr\.).*"),
    # Private types of attributes that the sandbox's records have for its own use.
    ("py:class", r"django_messente_dlr\.sandbox\.(messages\.ReportEvent|scenario\.Step)"),
]
linkcheck_timeout = 20
linkcheck_retries = 2

html_theme = "furo"
html_title = f"django-messente-dlr {release}"
html_show_copyright = False
html_copy_source = False


def hide_undocumented_arguments(  # noqa: PLR0917 - Sphinx passes the arguments by position
    app: Any, what: str, name: str, documented: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Hide the arguments of a class that describes none, such as an exception, a model or a record."""
    if what in {"class", "exception"} and signature and "Args:" not in (documented.__doc__ or ""):
        return "", ""
    return None


def keep_first_line(  # noqa: PLR0917 - Sphinx passes the arguments by position
    app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]
) -> None:
    """Keep the first line of a property or a signal as text. Napoleon reads what precedes a colon in it as a type."""
    if what in {"attribute", "data", "property"}:
        lines.insert(0, "\\ ")  # an escaped space, which is not shown


def setup(app: Any) -> None:
    """Adapt autodoc to docstrings that are written for people who read the code."""
    app.connect("autodoc-process-signature", hide_undocumented_arguments)
    app.connect("autodoc-process-docstring", keep_first_line, priority=400)  # before napoleon's own 500
