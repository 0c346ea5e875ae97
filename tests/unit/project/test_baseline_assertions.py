"""tools/baseline/assertions.py counts the assertions of each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.baseline import assertions

MODULE = """\
import pytest
from unittest import TestCase


def test_nothing():
    client.get("/")


@pytest.mark.parametrize("number", [1, 2])
def test_statements(number):
    assert number
    if number:
        assert number > 0, "message"


async def test_calls(client, django_assert_num_queries):
    with pytest.raises(ValueError), django_assert_num_queries(1):
        client.assert_called_once()
    get_page(client)
    client.get_page()


def get_page(client):
    return check_page(client)


class TestClass:
    def test_method(self):
        assert self

    def helper(self):
        assert self

    class TestNested:
        def test_method(self):
            assert self


class Cases(TestCase):
    def test_method(self):
        self.assertEqual(1, 1)


class Other:
    def test_method(self):
        assert self
"""
HELPERS = """\
def check_page(client):
    assert client


def test_not_in_a_test_file():
    assert True
"""
EXPECTED = """\
tests/unit/test_module.py::Cases::test_method	1
tests/unit/test_module.py::TestClass::TestNested::test_method	1
tests/unit/test_module.py::TestClass::test_method	1
tests/unit/test_module.py::test_calls	4
tests/unit/test_module.py::test_nothing	0
tests/unit/test_module.py::test_statements	2
"""


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_main(capsys: pytest.CaptureFixture[str]) -> None:
    directory = Path("tests", "unit")
    directory.mkdir(parents=True)
    (directory / "test_module.py").write_text(MODULE, encoding="utf-8")
    Path("tests", "pages.py").write_text(HELPERS, encoding="utf-8")
    assert assertions.main(["tests"]) == 0
    printed = capsys.readouterr()
    assert printed.out == EXPECTED
    assert printed.err == "6 tests, 9 assertions\n"


def test_main__no_tests() -> None:
    Path("tests").mkdir()
    assert assertions.main(["tests"]) == 1
