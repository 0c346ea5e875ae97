"""Run the code blocks of one page in a project, in a process of its own.

The folder contains what ``startproject mysite`` and ``startapp shop`` create. The files of the pages before and of
this page are added. The project sends to a sandbox in this process, and a server in this process receives the
callbacks. The blocks then run in their order.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management import call_command, load_command_class
from django.core.management import get_commands as installed_commands
from django.core.management.base import SystemCheckError
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from django_messente_dlr.sandbox import Sandbox
from tests.integration.docs.blocks import Block, pages_before, read_blocks
from tests.integration.docs.syntax import SHELL, check_syntax

# What the project of a reader has in its environment.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "mysite.settings",
    "MESSENTE_USERNAME": "shop",
    "MESSENTE_PASSWORD": "a-password",
    "NEWS_USERNAME": "news",
    "NEWS_PASSWORD": "another-password",
    "SITE_URL": "https://shop.example.com",
    "SECRET_KEY": "a key for these tests alone, long enough for Django's own checks",
}
# The sandbox of the pages. Here it has another port.
SANDBOX_URL = "http://127.0.0.1:8025"
# These run until a signal, or need a terminal. Their arguments are parsed.
PARSED_COMMANDS = {"messente_sandbox", "runserver", "startapp", "test"}


class QuietHandler(WSGIRequestHandler):
    """Serve requests without a line in the log for each."""

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


class Page:
    """A page, and the namespace that its Python blocks share."""

    def __init__(self, path: Path) -> None:
        self.blocks = read_blocks(path)
        self.sandbox_url = SANDBOX_URL
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.output = ""

    def run(self, block: Block) -> None:
        """Run a block. Its output is kept for a block of text that follows.

        Raises:
            Exception: the block fails, or a text block is not the output of the block before.
        """
        check_syntax(block)
        if not will_run(block):
            self.output = ""
            return
        if block.language == "text":
            if self.output:
                compare(block.text, self.output)
            return
        with contextlib.redirect_stdout(io.StringIO()) as output:
            if block.language == "python" and not block.path:
                # Newlines, so that a traceback has the lines of the page.
                source = "\n" * block.line + block.text.replace(SANDBOX_URL, self.sandbox_url)
                exec(compile(source, str(block.page), "exec"), self.namespace)
            elif block.language in SHELL:
                for arguments in management_commands(block.text):
                    run_command(arguments)
        self.output = output.getvalue()


def will_run(block: Block) -> bool:
    """Return whether a block runs: it is not marked, and the module that it requires is installed."""
    return not block.not_run and (not block.requires or find_spec(block.requires) is not None)


def compare(expected: str, actual: str) -> None:
    """Raise AssertionError if an output is not as the page shows it. ``...`` stands for any text."""
    if not OutputChecker().check_output(expected, actual, ELLIPSIS | NORMALIZE_WHITESPACE):
        raise AssertionError(f"The output is:\n{actual}")


def management_commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each ``python manage.py`` in a shell block, and set the variables before it."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            os.environ[name] = value
        if len(words) > 2 and Path(words[0]).name.startswith("python") and words[1] == "manage.py":
            yield words[2:]


def run_command(arguments: list[str]) -> None:
    """Run a management command, or only parse its arguments if it would not end."""
    name, *options = arguments
    if name in PARSED_COMMANDS or "--watch" in options or arguments == ["shell"]:
        command = load_command_class(installed_commands()[name], name)
        command.create_parser("manage.py", name).parse_args(options)
        return
    # messente_doctor exits if it has warnings, and a project in development is not ready for deployment.
    expected = [SystemExit, SystemCheckError] if "--deploy" in options else [SystemExit]
    sys.stdin = io.StringIO("yes\n")  # the reader confirms what a command asks for
    with contextlib.suppress(*expected):
        call_command(*arguments, stderr=io.StringIO())


def write_files(path: Path, folder: Path) -> None:
    """Add the files of the pages before and of this page to the project."""
    for page in [*pages_before(path), path]:
        for block in read_blocks(page):
            if block.path and not block.path.startswith("/") and will_run(block):
                file = folder / block.path
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(f"\n{block.text}")


@contextlib.contextmanager
def set_up(folder: Path) -> Iterator[Sandbox]:
    """Set Django up in the project, and serve it and a sandbox in threads."""
    os.environ.update(ENVIRONMENT)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    from django.conf import settings

    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    setting = settings.MESSENTE_DLR
    accounts = setting.get("ACCOUNTS") or {"default": setting}
    passwords = {account["USERNAME"]: account["PASSWORD"] for account in accounts.values()}
    # Long enough for a block that prints the status of a message that it has just sent.
    with Sandbox(passwords, delay=0.3) as sandbox:
        settings.MESSENTE_DLR = {
            **setting,
            "API_HOSTS": [sandbox.url],
            "OMNICHANNEL_URL": sandbox.omnichannel_url,
            "CALLBACK_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        }
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "127.0.0.1", "testserver"]
        import django
        from django.core.wsgi import get_wsgi_application

        django.setup()
        with contextlib.redirect_stdout(io.StringIO()):
            call_command("makemigrations", verbosity=0)
            call_command("migrate", verbosity=0)
        server.set_app(get_wsgi_application())
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield sandbox
        server.shutdown()
        server.server_close()


def run_tests(blocks: Iterable[Block], folder: Path) -> bool:
    """Run the test modules among the files of some blocks; return whether they pass."""
    import pytest

    written = (block for block in blocks if will_run(block) and Path(block.path).name.startswith("test"))
    modules = sorted({str(folder / block.path) for block in written})
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # importing all plugins takes longer than the tests
    options = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "pytest_django.plugin"]
    configuration = ["-c", os.devnull] if not (folder / "pytest.ini").exists() else []
    return not modules or pytest.main([*options, *configuration, f"--rootdir={folder}", *modules]) == 0


def run_page(path: Path, folder: Path, output: Path) -> None:
    """Run the blocks of a page in this process, which exits with 1 if one fails, and with 0 otherwise.

    Args:
        path: the page.
        folder: the project.
        output: the file for all output, with the place of each block that fails.
    """
    with output.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    warnings.simplefilter("error")
    page = Page(path)
    write_files(path, folder)
    failures = 0
    with set_up(folder) as sandbox:
        page.sandbox_url = sandbox.url
        for block in page.blocks:
            try:
                page.run(block)
            except BaseException:  # noqa: BLE001 - a block may raise anything
                failures += 1
                sys.stdout.write(f"{block.place}\n{traceback.format_exc()}\n")
            # A scheduled message has its callback much later.
            sandbox.wait_until_idle(timeout=3)
        failures += not run_tests(page.blocks, folder)
    sys.stdout.flush()
    sys.exit(min(failures, 1))
