"""The stage: a local Messente and a web server on this machine, and the settings that lead them to each other."""

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
    """Keeps the table readable, and callback tokens out of the terminal."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class QuietServer(ThreadedWSGIServer):
    """Leaves nothing behind when it ends."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about a browser that went away."""


def port_or_another(port: int) -> int:
    """Return ``port`` if nobody listens there, or a free one."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"No free port on {HOST}.")


@contextmanager
def sandbox(port: int) -> Iterator[Sandbox]:
    """Run a local Messente that knows the shop's account."""
    account = conf.account(conf.DEFAULT_ACCOUNT)
    # Answers too late by twice what the shop waits for, and no more: the demo ends when nothing is under way.
    with Sandbox({account.username: account.password}, port=port_or_another(port), hang=2.0) as running:
        yield running


@contextmanager
def site(port: int) -> Iterator[str]:
    """Serve the shop over HTTP; give the URL of its front page without the last slash."""
    server = QuietServer((HOST, port_or_another(port)), QuietHandler)
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
def stage(*, port: int, sandbox_port: int) -> Iterator[tuple[str, Sandbox]]:
    """Run both, with the settings that lead them to each other; give the site's URL and the sandbox."""
    with ExitStack() as stack:
        messente = stack.enter_context(sandbox(sandbox_port))
        url = stack.enter_context(site(port))
        configured = {
            **settings.MESSENTE_DLR,
            "CALLBACK_BASE_URL": url,
            # Twice: the second is the backup host, which some of the messages need.
            "API_HOSTS": [messente.url, messente.url],
            "OMNICHANNEL_URL": messente.omnichannel_url,
            "READ_TIMEOUT": 1.0,
            # A callback is there within half a second, so whoever has none after two is asked about.
            "POLL_GRACE": 2.0,
        }
        stack.enter_context(override_settings(MESSENTE_DLR=configured))
        yield url, messente
