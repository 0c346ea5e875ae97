"""The servers of the demo: a local Messente and a web server, with the settings that connect them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import override_settings

from django_messente_dlr import conf
from django_messente_dlr.sandbox import Sandbox

HOST = "127.0.0.1"


class QuietHandler(WSGIRequestHandler):
    """Log no requests: they would disturb the table, and show callback tokens in the terminal."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - a name of the base class
        pass


class QuietServer(ThreadedWSGIServer):
    """Serve in daemon threads, which do not delay the end of the process."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors, such as a browser that disconnected."""


def find_free_port(port: int) -> int:
    """Return ``port`` if it is free, otherwise another free port."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"{HOST} has no free port.")


@contextmanager
def run_sandbox(port: int) -> Iterator[Sandbox]:
    """Run a local Messente with the shop's account."""
    account = conf.account(conf.DEFAULT_ACCOUNT)
    # Late responses come after twice the READ_TIMEOUT below. A longer delay would only prolong the demo, which waits
    # until the sandbox is idle.
    with Sandbox({account.username: account.password}, port=find_free_port(port), hang=2.0) as running:
        yield running


@contextmanager
def run_site(port: int) -> Iterator[str]:
    """Serve the shop over HTTP, and yield its URL without a slash at the end."""
    server = QuietServer((HOST, find_free_port(port)), QuietHandler)
    server.set_app(StaticFilesHandler(WSGIHandler()))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def run_servers(*, port: int, sandbox_port: int) -> Iterator[tuple[str, Sandbox]]:
    """Run both servers with the settings that connect them; yield the site's URL and the sandbox."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(run_sandbox(sandbox_port))
        url = stack.enter_context(run_site(port))
        values = {
            **settings.MESSENTE_DLR,
            "CALLBACK_BASE_URL": url,
            "API_HOSTS": [sandbox.url, sandbox.url],
            "OMNICHANNEL_URL": sandbox.omnichannel_url,
            "READ_TIMEOUT": 1.0,
            # Callbacks arrive within half a second, so a message without one after two seconds can be polled.
            "POLL_GRACE": 2.0,
        }
        stack.enter_context(override_settings(MESSENTE_DLR=values))
        yield url, sandbox
