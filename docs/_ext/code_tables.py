"""The directive ``code-table``: a table whose rows are read from the code, so that it cannot become outdated.

Its argument is the name of a table, such as ``causes``, or ``options`` and the name of a command.
"""

from __future__ import annotations

from argparse import Action
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.core.management import load_command_class
from django.core.management.base import CommandParser
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox.scenarios import SCENARIOS


class RecordingParser(CommandParser):
    """A parser that lists the arguments that a command adds to it."""

    def __init__(self) -> None:
        self.arguments: list[Action] = []
        super().__init__(add_help=False)

    def add_argument(self, *args: Any, **options: Any) -> Action:
        """Add an argument, and list it."""
        action = super().add_argument(*args, **options)
        self.arguments.append(action)
        return action


class Table(NamedTuple):
    """A table: the width of each column in relation to the others, the headings, and the rows as reStructuredText."""

    widths: tuple[int, ...]
    headings: tuple[str, ...]
    rows: Callable[[], Iterator[tuple[str, ...]]]


def causes() -> Iterator[tuple[str, ...]]:
    """Yield a row for each error code."""
    for code in ErrorCode:
        delivery_class = code.delivery_class.value if code.delivery_class else "–"
        yield f"``{code.value}``", f"``{code.name}``", delivery_class, str(code.meaning), str(code.advice)


def status_codes() -> Iterator[tuple[str, ...]]:
    """Yield a row for each status code."""
    for code in Stat:
        yield f"``{code.value}``", code.delivery_class.value, str(code.meaning)


def response_codes() -> Iterator[tuple[str, ...]]:
    """Yield a row for each response code of the SMS API."""
    for code in ResponseCode:
        yield f"``{code.value}``", str(code.meaning), str(code.advice)


def statuses() -> Iterator[tuple[str, ...]]:
    """Yield a row for each status of a message."""
    for status in Status:
        properties = ("is_final", "is_failure", "is_delivery")
        true = ", ".join(f"``{name}``" for name in properties if getattr(status, name))
        yield f"``Status.{status.name}``", f"``{status.value}``", str(status.rank), true or "–"


def scenarios() -> Iterator[tuple[str, ...]]:
    """Yield a row for each scenario of the sandbox."""
    for scenario in SCENARIOS.values():
        yield f"``{scenario.digits}``", scenario.expected, scenario.description


def options(command: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each argument of a command, without those of every Django command."""
    parser = RecordingParser()
    load_command_class("django_messente_dlr", command).add_arguments(parser)
    for action in parser.arguments:
        value = f" {action.metavar or action.dest.upper()}" if action.nargs is None else ""
        name = f"{action.option_strings[0]}{value}" if action.option_strings else action.metavar or action.dest
        text = " ".join((action.help or "").split()).replace("%(default)s", str(action.default))
        yield f"``{name}``", text.replace("%%", "%")


TABLES: dict[str, Table] = {
    "causes": Table((8, 24, 12, 26, 40), ("``err``", "Name", "Status", "Meaning", "Advice"), causes),
    "status-codes": Table((15, 15, 70), ("``stat``", "Status", "Meaning"), status_codes),
    "response-codes": Table((16, 42, 42), ("Response", "Meaning", "Advice"), response_codes),
    "statuses": Table((28, 20, 12, 40), ("Name", "Value", "Rank", "True for it"), statuses),
    "scenarios": Table((14, 16, 70), ("Last digits", "Final status", "What happens"), scenarios),
}


class CodeTable(Directive):
    """Show a table of `TABLES`, or the options of a command."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        name, *arguments = self.arguments
        if name == "options":
            table = Table((30, 70), ("Option", "Meaning"), lambda: options(arguments[0]))
        elif name in TABLES:
            table = TABLES[name]
        else:
            raise self.error(f"There is no table {name}. The tables are options, {', '.join(TABLES)}.")
        lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, table.widths))}", ""]
        for row in (table.headings, *table.rows()):
            lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(row)]
        container = nodes.Element()
        self.state.nested_parse(StringList(lines, source=name), self.content_offset, container)
        return container.children


def setup(app: Any) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("code-table", CodeTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
