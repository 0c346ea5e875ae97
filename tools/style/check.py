"""Find the words and phrases of banned.txt in code, templates, message files and documentation.

Checked are, by suffix:

- .py: comments, docstrings, other string literals, and the names that the file binds (variables, arguments,
  functions, classes). Underscores and capital letters divide a name into words. Expressions in f-strings are
  code and not text.
- .html: the whole template.
- .po: the English msgids, not their translations. Each language has the same ones, and all are counted.
- .rst, .md: the whole document.

Hidden directories and build output are skipped.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BANNED = Path(__file__).with_name("banned.txt")
SKIPPED_DIRECTORIES = frozenset({"__pycache__", "build", "dist", "node_modules"})

# Replaces code in the text of a file. It is neither a space nor a letter, so no phrase matches across it.
GAP = "\0"

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
STRING_PREFIX = re.compile(r"[a-zA-Z]*")
REPLACEMENT_FIELD = re.compile(r"\{[^{}]*\}")
LITERAL_IN_FIELD = re.compile(r"""("[^"]*"|'[^']*')""")
ESCAPE = re.compile(r"\\[abfnrtv]")
F_STRING_ENDS = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_START", "FSTRING_END") if hasattr(tokenize, name)
)
F_STRING_MIDDLE = getattr(tokenize, "FSTRING_MIDDLE", None)


class Hit(NamedTuple):
    """One banned word or phrase: the file, the line (from 1) and the phrase as it is in banned.txt."""

    path: Path
    line: int
    phrase: str


class FileResult(NamedTuple):
    """The hits of a file, and the number of words that were checked."""

    hits: list[Hit]
    words: int


def read_phrases(path: Path = BANNED) -> list[str]:
    """Return the words and phrases of a list, without its comments and blank lines."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line.lower() for line in lines if line and not line.startswith("#")]


def compile_phrases(phrases: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches any of the phrases, the longest first."""
    return re.compile("|".join(map(_expression, sorted(phrases, key=len, reverse=True))), re.IGNORECASE)


def check_file(path: Path, pattern: re.Pattern[str]) -> FileResult:
    """Return the hits and the number of words of a file.

    Raises:
        SyntaxError: the file ends in .py and is not Python.
        UnicodeDecodeError: the file is not UTF-8.
    """
    source = path.read_text(encoding="utf-8")
    text = TEXT_READERS[path.suffix](source)
    chunks = [(1, text)]
    if path.suffix == ".py":
        chunks += [(line, CAMEL_CASE.sub("_", name)) for line, name in _bound_names(ast.parse(source))]
    hits = [
        Hit(path, line + chunk.count("\n", 0, match.start()), _normalise(match.group()))
        for line, chunk in chunks
        for match in pattern.finditer(chunk)
    ]
    return FileResult(sorted(hits), sum(1 for _, chunk in chunks for _ in WORD.finditer(chunk)))


def find_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files to check: those that are named, and those below a directory that is named."""
    for path in paths:
        if path.is_dir():
            yield from find_files(sorted(child for child in path.iterdir() if not _is_skipped(child)))
        elif path.suffix in TEXT_READERS:
            yield path


def package_of(path: Path, root: Path) -> str:
    """Return the directory under which the report counts a file: two levels at most, or "." for the root."""
    directory = path.relative_to(root).parent if path.is_relative_to(root) else path.parent
    return Path(*directory.parts[:2]).as_posix()


def report(results: dict[Path, FileResult], root: Path) -> str:
    """Return a table: hits, words and hits per 1,000 words of each package, and the total."""
    hits: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for path, result in results.items():
        hits[package_of(path, root)] += len(result.hits)
        words[package_of(path, root)] += result.words
    rows = [(package, hits[package], words[package]) for package in sorted(words)]
    rows.append(("total", hits.total(), words.total()))
    lines = [f"{'package':<40}{'markers':>10}{'words':>10}{'per 1,000':>12}"]
    lines += [
        f"{package:<40}{count:>10}{total:>10}{1000 * count / total if total else 0:>12.1f}"
        for package, count, total in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the hits, or with --report the table. Return 1 if there are hits and no report was requested."""
    parser = argparse.ArgumentParser(description="Find banned words and phrases (tools/style/banned.txt).")
    parser.add_argument("paths", nargs="*", type=Path, help="files and directories (default: the whole repository)")
    parser.add_argument("--report", action="store_true", help="print counts per package, and exit 0")
    options = parser.parse_args(arguments)
    root = Path.cwd() if options.paths else ROOT
    paths = [path.absolute() for path in options.paths] or [ROOT]
    pattern = compile_phrases(read_phrases())
    results = {path: check_file(path, pattern) for path in find_files(paths)}
    if options.report:
        print(report(results, root))
        return 0
    hits = [hit for result in results.values() for hit in result.hits]
    for path, line, phrase in hits:
        print(f"{path.relative_to(root) if path.is_relative_to(root) else path}:{line}: {phrase}")
    return 1 if hits else 0


def _expression(phrase: str) -> str:
    """Return a regular expression for a phrase. An underscore joins words as a space does."""
    expression = r"[\s_]+".join(map(re.escape, phrase.split()))
    before = r"(?<![^\W_])" if phrase[0].isalnum() else ""
    after = r"(?![^\W_])" if phrase[-1].isalnum() else ""
    return f"{before}{expression}{after}"


def _normalise(match: str) -> str:
    return re.sub(r"[\s_]+", " ", match).lower()


def _is_skipped(path: Path) -> bool:
    return path.name.startswith(".") or path.name in SKIPPED_DIRECTORIES


def _python_text(source: str) -> str:
    """Return the comments and string literals of a module, at their places, with a gap for each character of code."""
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    text = [character if character.isspace() else GAP for character in source]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        if (content := _token_text(token.type, source[start:end])) is not None:
            text[start:end] = content
    return "".join(text)


def _token_text(kind: int, content: str) -> str | None:
    """Return the text of a comment or string, in as many characters, or None for code.

    Marks and quotes become spaces: a phrase matches across the lines of a comment and across adjacent literals.
    """
    if kind == tokenize.COMMENT:
        return content.replace("#", " ")
    if kind in F_STRING_ENDS:
        return " " * len(content)
    if kind not in {tokenize.STRING, F_STRING_MIDDLE}:
        return None
    if kind == tokenize.STRING:
        prefix = STRING_PREFIX.match(content)
        length = len(prefix.group()) if prefix else 0
        quotes = 3 if content[length : length + 3] in {'"""', "'''"} else 1
        inner = content[length + quotes : -quotes]
        if "f" in content[:length].lower():
            inner = _without_fields(inner)
        content = f"{' ' * (length + quotes)}{inner}{' ' * quotes}"
    return ESCAPE.sub("  ", content)


def _without_fields(content: str) -> str:
    """Return the content of an f-string with gaps for its expressions, the innermost first.

    String literals in an expression stay: Python 3.12 and later have a token for each of them.
    """
    content = content.replace("{{", "  ").replace("}}", "  ")
    while REPLACEMENT_FIELD.search(content):
        content = REPLACEMENT_FIELD.sub(lambda match: _only_literals(match.group()), content)
    return content


def _only_literals(field: str) -> str:
    parts = LITERAL_IN_FIELD.split(field)
    return "".join(part if index % 2 else GAP * len(part) for index, part in enumerate(parts))


def _po_text(source: str) -> str:
    """Return the msgids of a message file, at their lines."""
    lines = []
    in_msgid = False
    for line in source.splitlines():
        keyword, _, rest = line.partition(" ")
        if keyword.startswith("msg"):
            in_msgid = keyword in {"msgid", "msgid_plural"}
            content = rest
        else:
            content = line
            in_msgid = in_msgid and line.startswith('"')
        lines.append(ESCAPE.sub("  ", content.strip()[1:-1]) if in_msgid else GAP)
    return "\n".join(lines)


def _bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each name that a module binds."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def _unchanged(source: str) -> str:
    return source


TEXT_READERS: dict[str, Callable[[str], str]] = {
    ".html": _unchanged,
    ".md": _unchanged,
    ".po": _po_text,
    ".py": _python_text,
    ".rst": _unchanged,
}


if __name__ == "__main__":
    sys.exit(main())
