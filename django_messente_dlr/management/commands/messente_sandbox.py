"""``manage.py messente_sandbox``: run a local Messente until SIGINT or SIGTERM.

The command serves the accounts of ``MESSENTE_DLR``. It prints the settings that lead a project to it and, while it
runs, a line for each request and each callback. The exit status is 0 after a signal, and 1 if it cannot start.
"""

from __future__ import annotations

import argparse
import threading
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from django_messente_dlr import conf
from django_messente_dlr.management.shutdown import until_signalled
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.control import ACCEPTED_PATH, BALANCE_PATH, CHANNELS_PATH, parse_amount
from django_messente_dlr.sandbox.scenarios import table

DELAY_HELP = "Seconds before a message's first report, and between reports (default: %(default)s)."
RETRY_DELAY_HELP = """Seconds before a failed callback is retried, at most five times (default: %(default)s).
Messente's own delay is not documented."""
BALANCE_HELP = f"""The credit in EUR (default: %(default)s). While the sandbox runs, a PUT of an amount to
{BALANCE_PATH} changes it."""
CALLBACK_HOST_HELP = """A host that may be called besides this machine, such as the name of a container.
Repeat the option for further hosts."""

NO_ACCOUNT = """No account is configured, so the sandbox would reject every request. Add one to your settings:

    MESSENTE_DLR = {"USERNAME": "sandbox", "PASSWORD": "sandbox"}"""

WELCOME = """The sandbox listens on {url}. Add these values to MESSENTE_DLR in the settings of your project:

    "API_HOSTS": ["{url}", "{url}"],
    "OMNICHANNEL_URL": "{omnichannel_url}",
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",

CALLBACK_BASE_URL is the address of runserver: the sandbox sends callbacks to this machine only. The second URL in
API_HOSTS is the backup host. The sandbox accepts the user names {usernames}.
The recipient's last three digits choose the scenario of a message; --help lists them. To run out of credits:

    curl -X PUT --data 0 {url}{balance_path}

To let every message over Viber fail, so that the next channel is tried:

    curl -X PUT --data viber=001 {url}{channels_path}

The number of accepted messages by recipient:

    curl {url}{accepted_path}

Press Ctrl-C to stop.
"""

EPILOG = """The recipient's last three digits choose the scenario of a message: one to +37255500004 is rejected,
because the account is out of credits. With any other digits it is delivered. The second column is the final status.

In an omnimessage of several channels each one has these reports, and the next one is tried when one has failed: with
001 all of them fail. 401 to 413 have other reports for the first channels. A PUT of lines such as viber=001 to
{channels_path} selects the scenario by the channel instead.

{table}
"""


class HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Order the options as Django does, and keep the line breaks of the description and the epilog."""


class Command(BaseCommand):
    """Run a local Messente."""

    help = (
        "Runs a local Messente over real HTTP, for this machine only. It accepts messages\n"
        "through both of Messente's APIs, for the accounts of MESSENTE_DLR, and sends\n"
        "callbacks to their dlr-url as Messente does."
    )
    # The command uses no database, and helps to complete a project's settings. A failing check would prevent that.
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, whose help ends with the table of scenarios."""
        epilog = EPILOG.format(table=table(), channels_path=CHANNELS_PATH)
        return super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, epilog=epilog, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of the sandbox."""
        add = parser.add_argument
        add("--host", default="127.0.0.1", help="The loopback address to listen on (default: %(default)s).")
        add("--port", type=int, default=8025, help="The port to listen on, 0 for a free one (default: %(default)s).")
        add("--delay", type=float, default=1.0, metavar="SECONDS", help=DELAY_HELP)
        add("--retry-delay", type=float, default=5.0, metavar="SECONDS", help=RETRY_DELAY_HELP)
        add("--balance", type=_amount, default="707.54", metavar="EUR", help=BALANCE_HELP)
        add(
            "--dlr-url",
            default="",
            metavar="URL",
            help="The callback URL of messages that are sent without a dlr-url.",
        )
        add("--callback-host", action="append", default=[], metavar="NAME", help=CALLBACK_HOST_HELP)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM, or until no process reads the output any more."""
        stop = threading.Event()
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
                on_event=lambda line: self._write_line(line, stop),
            )
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
        with until_signalled(stop):
            try:
                sandbox.start()
            except OSError as exc:
                raise CommandError(
                    f"The sandbox cannot listen on {options['host']} port {options['port']} ({exc.strerror}). "
                    "Choose another port with --port, or --port 0 for a free port."
                ) from exc
            try:
                usernames = ", ".join(sorted(accounts))
                self._write_line(
                    WELCOME.format(
                        url=sandbox.url,
                        omnichannel_url=sandbox.omnichannel_url,
                        usernames=usernames,
                        balance_path=BALANCE_PATH,
                        channels_path=CHANNELS_PATH,
                        accepted_path=ACCEPTED_PATH,
                    ),
                    stop,
                )
                # With a timeout, because on some platforms a signal cannot interrupt a wait without one.
                while not stop.wait(1.0):
                    pass
            finally:
                sandbox.stop()
        self._write_line("The sandbox has stopped.", stop)

    def _write_line(self, line: str, stop: threading.Event) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except (BrokenPipeError, ValueError):
            stop.set()  # the output is closed, so no process reads it any more


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
                f'The account "{account.name}" of MESSENTE_DLR has no USERNAME or no PASSWORD. Add it.'
            )
        if accounts.setdefault(account.username, account.password) != account.password:
            raise CommandError(
                f'MESSENTE_DLR has two passwords for the user name "{account.username}". At Messente every API key '
                "has a different user name. Correct the user name of one of the accounts."
            )
    if not accounts:
        raise CommandError(NO_ACCOUNT)
    return accounts


def _amount(text: str) -> Decimal:
    try:
        return parse_amount(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
