"""List each test with the number of its assertions, to compare the tests before and after a change.

    python tools/baseline/assertions.py tests > before.tsv

Each line is a test id, a tab and a number; the lines are sorted. The totals go to stderr. The source is parsed and no
test is run:

- Tests are functions and methods whose name starts with "test", in files named test_*.py or *_test.py. Methods count
  in classes whose name starts with "Test" or whose base class has a name that ends in "TestCase", under the class
  that defines them. A parametrized test is one test.
- Assertions are ``assert`` statements; calls of a function or method whose name starts with "assert", such as
  ``self.assertEqual`` and ``assert_storable``, or is django_assert_num_queries or django_assert_max_num_queries; and
  calls of ``pytest.raises``, ``pytest.warns``, ``pytest.fail`` and ``pytest.deprecated_call``.
- A call by its plain name of a helper that has assertions counts as one. Helpers are the other functions at the top
  level of any module below the directory. They are matched by name alone.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

PYTEST_ASSERTIONS = frozenset({"raises", "warns", "fail", "deprecated_call"})
FIXTURE_ASSERTIONS = frozenset({"django_assert_num_queries", "django_assert_max_num_queries"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def count_directory(directory: Path) -> dict[str, int]:
    """Return the number of assertions by test id, for all test files below a directory.

    Raises:
        SyntaxError: a file is not Python.
    """
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(directory.rglob("*.py"))}
    helpers = find_helpers(modules.values())
    return {
        "::".join((path.as_posix(), *names)): count_assertions(function, helpers)
        for path, module in modules.items()
        if path.stem.startswith("test_") or path.stem.endswith("_test")
        for names, function in find_tests(module)
    }


def find_helpers(modules: Collection[ast.Module]) -> set[str]:
    """Return the names of the helpers that have assertions, also by way of other helpers."""
    functions = [
        node
        for module in modules
        for node in module.body
        if isinstance(node, Function) and not node.name.startswith("test")
    ]
    helpers: set[str] = set()
    while more := {function.name for function in functions if count_assertions(function, helpers)} - helpers:
        helpers |= more
    return helpers


def find_tests(parent: ast.Module | ast.ClassDef) -> Iterator[tuple[tuple[str, ...], Function]]:
    """Yield the names (classes, then function) and the definition of each test."""
    for node in parent.body:
        if isinstance(node, Function) and node.name.startswith("test"):
            yield (node.name,), node
        elif isinstance(node, ast.ClassDef) and _is_test_class(node):
            for names, function in find_tests(node):
                yield (node.name, *names), function


def count_assertions(function: Function, helpers: Collection[str]) -> int:
    """Return the number of assertions in a function, nested functions included."""
    return sum(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _is_assertion(node.func, helpers))
        for statement in function.body
        for node in ast.walk(statement)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list to stdout and the totals to stderr. Return 1 if there is no test."""
    parser = argparse.ArgumentParser(description="List each test with the number of its assertions.")
    parser.add_argument("directory", type=Path, help="directory of the tests, for example tests")
    counts = count_directory(parser.parse_args(arguments).directory)
    for test, count in sorted(counts.items()):
        print(f"{test}\t{count}")
    print(f"{len(counts)} tests, {sum(counts.values())} assertions", file=sys.stderr)
    return 0 if counts else 1


def _is_test_class(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any(_last_name(base).endswith("TestCase") for base in node.bases)


def _is_assertion(called: ast.expr, helpers: Collection[str]) -> bool:
    name = _last_name(called)
    if isinstance(called, ast.Attribute) and _last_name(called.value) == "pytest":
        return name in PYTEST_ASSERTIONS
    is_helper = isinstance(called, ast.Name) and name in helpers
    return is_helper or name.startswith("assert") or name in FIXTURE_ASSERTIONS


def _last_name(node: ast.expr) -> str:
    """Return the name of a variable or attribute, or an empty string for another expression."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


if __name__ == "__main__":
    sys.exit(main())
