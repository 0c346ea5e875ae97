"""tools/style/check.py finds banned words. The tests read them from its list, so that this file contains none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.style import check

PHRASES = check.read_phrases()
WORD = next(phrase for phrase in PHRASES if phrase.isalpha())
FIRST, SECOND = PHRASE = next(phrase for phrase in PHRASES if phrase.count(" ") == 1).split()

CLEAN_PYTHON = '''\
"""Return the status of a message."""

status = f"The status of {WORD} is known."  # WORDY is not a banned word
WORD(first.FIRST, SECOND)
'''
CLEAN_PO = """\
# WORD
msgid "Status"
msgstr "WORD"
"""


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fill(text: str) -> str:
    return text.replace("WORD", WORD).replace("FIRST", FIRST).replace("SECOND", SECOND)


def check_text(name: str, text: str) -> list[tuple[int, str]]:
    """Return the line and phrase of each hit in a file with this text."""
    path = Path(name)
    path.write_text(fill(text), encoding="utf-8")
    return [(hit.line, hit.phrase) for hit in check.check_file(path, check.compile_phrases(PHRASES)).hits]


@pytest.mark.parametrize("phrase", PHRASES)
def test_check__each_phrase(phrase: str) -> None:
    assert (1, phrase) in check_text("page.html", f"<p>Before {phrase} after</p>")


@pytest.mark.parametrize(
    "text",
    [
        '"""Return what was WORD."""',
        "# It was WORD.",
        'label = "It was WORD."',
        'label = f"It was WORD {twice}."',
        "label = f'It was {\"WORD\" if twice else number:>{width}}.'",
        "label = b'It was WORD.'",
        'label = "It was\\nWORD."',
        "WORD = 1",
        "WORD: int = 1",
        "self.WORD = 1",
        "for WORD in (): pass",
        "def function(*, WORD): pass",
        "def was_WORD_twice(): pass",
        "async def WORD(): pass",
        "class WasWORD: pass",
        "import sys as WORD",
        "with open() as WORD: pass",
    ],
)
def test_check__python(text: str) -> None:
    # A name in camel case has its words capitalised.
    text = text.replace("WasWORD", f"Was{WORD.capitalize()}")
    assert check_text("module.py", f"\n{text}\n") == [(2, WORD)]


@pytest.mark.parametrize(
    "text",
    [
        "# a comment FIRST\n# SECOND",
        "if sys:\n    # a comment FIRST\n    # SECOND\n    pass",
        '"""Docstring FIRST\n    SECOND"""',
        'label = (\n"literal FIRST "\n"SECOND")',
        "FIRST_SECOND = 1",
    ],
)
def test_check__python_phrase(text: str) -> None:
    assert [phrase for _, phrase in check_text("module.py", text)] == [f"{FIRST} {SECOND}"]


def test_check__line_of_long_literal() -> None:
    assert check_text("module.py", '"""Summary.\n\nIt was WORD.\n"""\n\n\n# WORD\n') == [(3, WORD), (7, WORD)]


@pytest.mark.parametrize("name", ["page.html", "page.rst", "page.md"])
def test_check__whole_text(name: str) -> None:
    assert check_text(name, "\nUpper WORD\n".replace("WORD", WORD.upper())) == [(2, WORD)]
    assert check_text(name, "\nit was FIRST\nSECOND\n") == [(2, f"{FIRST} {SECOND}")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('msgid "It was WORD."\nmsgstr ""', 1),
        ('msgid ""\n"It was "\n"WORD."\nmsgstr ""', 3),
        ('msgid "A"\nmsgid_plural "It was WORD."\nmsgstr[0] ""', 2),
    ],
)
def test_check__msgids(text: str, line: int) -> None:
    assert check_text("django.po", text) == [(line, WORD)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("module.py", CLEAN_PYTHON),
        ("django.po", CLEAN_PO),
        ("page.html", "<p>WORDY</p>"),
        ("page.rst", "aWORD, FIRST, SECOND, FIRSTSECOND"),
        ("page.md", "“Curly” and 'straight' quotes"),
    ],
)
def test_check__clean(name: str, text: str) -> None:
    assert check_text(name, text) == []


def test_main__lists_hits(capsys: pytest.CaptureFixture[str]) -> None:
    Path("package").mkdir()
    Path("package", "module.py").write_text(f"\n# {WORD}\n", encoding="utf-8")
    assert check.main(["package"]) == 1
    assert capsys.readouterr().out == f"package/module.py:2: {WORD}\n"


def test_main__clean(capsys: pytest.CaptureFixture[str]) -> None:
    Path("module.py").write_text("# clean\n", encoding="utf-8")
    Path("data.json").write_text(WORD, encoding="utf-8")
    Path(".hidden").mkdir()
    Path(".hidden", "module.py").write_text(f"# {WORD}\n", encoding="utf-8")
    assert check.main(["."]) == 0
    assert capsys.readouterr().out == ""


def test_main__report(capsys: pytest.CaptureFixture[str]) -> None:
    for directory in ("package/admin/actions", "package/api"):
        Path(directory).mkdir(parents=True)
    Path("page.rst").write_text("four words in all", encoding="utf-8")
    Path("package", "admin", "one.py").write_text(f"# {WORD} and three more", encoding="utf-8")
    Path("package", "admin", "actions", "two.py").write_text(f"{WORD} = 1", encoding="utf-8")
    Path("package", "api", "three.py").write_text("number = 3", encoding="utf-8")
    assert check.main(["--report", "."]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        [".", "0", "4", "0.0"],
        ["package/admin", "2", "5", "400.0"],
        ["package/api", "0", "1", "0.0"],
        ["total", "2", "10", "200.0"],
    ]


def test_tools__clean() -> None:
    directory = Path(check.__file__).parents[1]
    assert check.main([str(directory), __file__]) == 0
