"""``manage.py messente_sandbox``: a local Messente, until Ctrl-C.

In come the accounts of ``MESSENTE_DLR`` and a few options; out go the settings to try it with and, while it runs, a
line for each request and each callback. Exit status 0 when it is ended by SIGINT or SIGTERM, 1 when it cannot start.
"""

from __future__ import annotations

import argparse
import threading
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from django_messente_dlr import conf
from django_messente_dlr.management.shutdown import until_signalled
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.scenarios import table

DELAY_HELP = "Seconds before a message's first report, and between reports (default: %(default)s)."
RETRY_DELAY_HELP = """Seconds before a failed callback is made again, five times at most (default: %(default)s).
How long Messente waits is not known."""
CALLBACK_HOST_HELP = """A host that callbacks may go to besides this machine, such as a container's name.
May be given several times."""

NO_ACCOUNT = """No account is configured, so the sandbox would refuse everybody. Put this into your settings:

    MESSENTE_DLR = {"USERNAME": "sandbox", "PASSWORD": "sandbox"}"""

WELCOME = """The sandbox listens on {url}. Put this into the MESSENTE_DLR of the project that is to use it:

    "API_HOSTS": ["{url}", "{url}"],
    "OMNICHANNEL_URL": "{omnichannel_url}",
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",

The last is where runserver listens: the sandbox calls back to this machine alone. The host stands there twice so that
there is a backup to turn to. The sandbox knows the user names {usernames}.
The recipient's last three digits choose what becomes of a message; --help shows which. Ctrl-C ends it.
"""

EPILOG = """The recipient's last three digits choose what becomes of a message: +37255500004 finds the account out of
credits. With any other digits it is delivered. The second column is the message's status in the end.

{table}
"""


class HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of the options, and line breaks where we put them."""


class Command(BaseCommand):
    """Run a local Messente."""

    help = (
        "Runs a local Messente over real HTTP, for this machine alone: it takes messages\n"
        "through both of Messente's APIs, for the accounts of MESSENTE_DLR, and calls their\n"
        "dlr-url as Messente does."
    )
    # It needs neither a database nor a project in order: often it is what one puts a project in order with.
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, whose help ends with the table of fates."""
        epilog = EPILOG.format(table=table())
        return super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, epilog=epilog, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        add = parser.add_argument
        add("--host", default="127.0.0.1", help="The address to listen on, a loopback one (default: %(default)s).")
        add("--port", type=int, default=8100, help="The port to listen on, 0 for a free one (default: %(default)s).")
        add("--delay", type=float, default=1.0, metavar="S", help=DELAY_HELP)
        add("--retry-delay", type=float, default=5.0, metavar="S", help=RETRY_DELAY_HELP)
        add(
            "--balance", type=_amount, default="707.54", metavar="X", help="The credit in EUR (default: %(default)s)."
        )
        add("--dlr-url", default="", metavar="URL", help="Where reports go about messages sent without a dlr-url.")
        add("--callback-host", action="append", default=[], metavar="NAME", help=CALLBACK_HOST_HELP)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM."""
        ended = threading.Event()
        accounts = _accounts()
        try:
            sandbox = Sandbox(
                accounts,
                host=options["host"],
                port=options["port"],
                delay=options["delay"],
                retry_delay=options["retry_delay"],
                balance=options["balance"],
                default_dlr_url=options["dlr_url"],
                callback_hosts=options["callback_host"],
                on_event=lambda line: self._show(line, ended),
            )
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
        with until_signalled(ended):
            try:
                sandbox.start()
            except OSError as exc:
                raise CommandError(
                    f"The sandbox cannot listen on {options['host']} port {options['port']} ({exc.strerror}). "
                    "Choose another port with --port, or --port 0 for a free one."
                ) from exc
            try:
                usernames = ", ".join(sorted(accounts))
                self._show(
                    WELCOME.format(url=sandbox.url, omnichannel_url=sandbox.omnichannel_url, usernames=usernames),
                    ended,
                )
                # In pieces: on some platforms a wait without an end cannot be interrupted.
                while not ended.wait(1.0):
                    pass
            finally:
                sandbox.stop()
        self._show("The sandbox has ended.", ended)

    def _show(self, line: str, ended: threading.Event) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except (BrokenPipeError, ValueError):
            ended.set()  # whoever read the lines has gone away


def _accounts() -> dict[str, str]:
    """Return the passwords of the configured accounts by user name."""
    try:
        configured = list(conf.accounts().values())
    except ImproperlyConfigured as exc:
        raise CommandError(str(exc)) from exc
    accounts: dict[str, str] = {}
    for account in configured:
        if not account.username or not account.password:
            raise CommandError(
                f"The account «{account.name}» of MESSENTE_DLR has no USERNAME or no PASSWORD. Add it."
            )
        if accounts.setdefault(account.username, account.password) != account.password:
            raise CommandError(
                f"MESSENTE_DLR has two passwords for the user name «{account.username}». At Messente each API key "
                "has a user name of its own: write the right one into each account."
            )
    if not accounts:
        raise CommandError(NO_ACCOUNT)
    return accounts


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite():
        raise argparse.ArgumentTypeError(f"«{text}» is not an amount, such as 707.54")
    return amount
