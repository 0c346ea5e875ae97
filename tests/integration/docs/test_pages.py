"""Every code block of the README and the documentation runs, or is marked with the reason why it does not."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import load_command_class

from tests.integration.docs.blocks import DOCS, README, ROOT, pages, read_blocks
from tests.integration.docs.page import SANDBOX_URL, run_page
from tests.processes import django_admin

PAGES = pages()
# A process that has imported Django starts a process for each page: importing it again takes longer than most pages.
FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["tests.integration.docs.page"])
DIRECTIVE = re.compile(r"^ *\.\. (?:code-block|code|sourcecode|literalinclude|parsed-literal)::", re.MULTILINE)
LITERAL_BLOCK = re.compile(r"^(?! *\.\. ).*::$", re.MULTILINE)
LINK = re.compile(r"<((?!https?:|mailto:)[^<>\s]+\.\w+)>`_")
IMAGE = re.compile(r"^\.\. (?:image|figure):: (\S+)", re.MULTILINE)

# Where one of these is missing, the blocks that need it are only parsed. django_tenants needs PostgreSQL: it is not
# installed here.
REQUIRED = {"celery", "django.tasks", "django_filters", "django_tenants", "freezegun", "messente_api"}

FAILING_PAGE = """A page

.. code-block:: python

   send_sms("+37255500000", "A name that is not imported")

.. code-block:: python

   print("one")

.. code-block:: text

   two

.. code-block:: shell

   python manage.py poll_dlrs --no-such-option

.. not run: its syntax is checked
.. code-block:: python

   print(
"""

# Each block that is only parsed, with its reason. A new one is a decision.
NOT_RUN = {
    ("docs/howto/cloudflare.rst", "the addresses of this page admit no request from this machine"),
    ("docs/howto/nginx.rst", "the addresses of this page admit no request from this machine"),
    ("docs/tutorial/first_sms.rst", "messente.env is the reader's"),
    ("docs/tutorial/first_sms.rst", "it sends a real SMS to the reader"),
}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the project that a reader of the tutorial creates first."""
    folder = tmp_path_factory.mktemp("project")
    # With the settings of these tests, the commands would find their apps.
    variables = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    for command in ("startproject", "mysite", "."), ("startapp", "shop"):
        subprocess.run(django_admin(*command), env=variables, cwd=folder, check=True, timeout=60)
    (folder / "shop" / "tests.py").unlink()
    return folder


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run(page: Path, project: Path, tmp_path: Path) -> tuple[int | None, str]:
    """Run the blocks of a page in a copy of the project; return the exit status and the output."""
    folder = shutil.copytree(project, tmp_path / "project")
    output = tmp_path / "output"
    process = FORK_SERVER.Process(target=run_page, args=(page, folder, output))
    process.start()
    process.join(timeout=120)
    process.kill()
    return process.exitcode, output.read_text("utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if read_blocks(page)], ids=name_of)
def test_page__blocks_run(page: Path, project: Path, tmp_path: Path) -> None:
    status, output = run(page, project, tmp_path)
    assert status == 0, output


def test_page__failing_blocks(project: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    page.write_text(FAILING_PAGE)
    status, output = run(page, project, tmp_path)
    assert status == 1
    assert [line for line in (3, 7, 11, 15, 20) if f"page.rst:{line}\n" in output] == [3, 11, 15, 20]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page__every_block_is_found(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(read_blocks(page)) == len(DIRECTIVE.findall(text))
    assert not LITERAL_BLOCK.findall(text)


def test_pages__blocks_that_do_not_run() -> None:
    marked = {(name_of(page), block.not_run) for page in PAGES for block in read_blocks(page) if block.not_run}
    assert marked == NOT_RUN


def test_pages__modules_that_blocks_require() -> None:
    required = {block.requires for page in PAGES for block in read_blocks(page) if block.requires}
    assert required == REQUIRED


def test_sandbox__default_port_is_that_of_the_pages() -> None:
    parser = load_command_class("django_messente_dlr", "messente_sandbox").create_parser("manage.py", "")
    assert f"http://127.0.0.1:{parser.parse_args([]).port}" == SANDBOX_URL


def test_readme__at_most_150_lines() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


def test_readme__links_and_images_exist() -> None:
    text = README.read_text("utf-8")
    targets = [*LINK.findall(text), *IMAGE.findall(text)]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_docs__pages_exist() -> None:
    assert (DOCS / "index.rst") in PAGES
