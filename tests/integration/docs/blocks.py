"""Read the code blocks of a page.

A block whose first line is a comment with a relative path, such as ``# shop/models.py``, is the content of that file.
Comments of reStructuredText directly before a block change how it is run:

- ``.. not run: <reason>``: the block is only checked for its syntax.
- ``.. requires: <module>``: the same, but only where this module is not installed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from docutils.parsers.rst.directives.body import CodeBlock

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
README = ROOT / "README.rst"
TUTORIAL = [
    DOCS / "tutorial" / f"{name}.rst" for name in ("sandbox", "first_sms", "failures", "testing", "deploying")
]

FILE = re.compile(r"# (?P<path>/?[\w.-]+(?:/[\w.-]+)*\.\w+|/etc/[\w./-]+)\n")
NOT_RUN, REQUIRES = "not run:", "requires:"


class Block(NamedTuple):
    """A code block: where it is, its language and text, the path of its file, and why it is not run ("" if it is)."""

    page: Path
    line: int
    language: str
    text: str
    path: str
    not_run: str
    requires: str

    @property
    def place(self) -> str:
        """Return the page and the line of the block."""
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{page}:{self.line}"


class SphinxCodeBlock(CodeBlock):
    """The code-block of Sphinx, with the options that docutils does not know."""

    option_spec: ClassVar[dict[str, Any]] = {
        **(CodeBlock.option_spec or {}),
        "caption": directives.unchanged,
        "emphasize-lines": directives.unchanged,
        "linenos": directives.flag,
    }

    def run(self) -> list[Any]:
        """Return the block with the line of its directive."""
        block, *others = super().run()  # type: ignore[no-untyped-call]
        block["line"] = self.lineno
        return [block, *others]


def read_blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in order, with those inside lists and notes."""
    directives.register_directive("code-block", SphinxCodeBlock)
    # Roles and directives of Sphinx are unknown to docutils, and are not of interest here.
    settings = {"report_level": 5, "halt_level": 5, "file_insertion_enabled": False, "syntax_highlight": "none"}
    document = publish_doctree(page.read_text("utf-8"), source_path=str(page), settings_overrides=settings)
    return [_block(page, node) for node in document.findall(nodes.literal_block) if not _is_error(node)]


def pages() -> list[Path]:
    """Return the README and the pages of the documentation."""
    return [README, *(page for page in sorted(DOCS.rglob("*.rst")) if not page.name.startswith("_"))]


def pages_before(page: Path) -> list[Path]:
    """Return the pages whose files are in the project before a page begins.

    Every page of the documentation continues the project of the tutorial's first page.
    """
    if page == README or page == TUTORIAL[0]:
        return []
    return TUTORIAL[: TUTORIAL.index(page)] if page in TUTORIAL else TUTORIAL[:1]


def _block(page: Path, node: nodes.literal_block) -> Block:
    text = f"{node.astext()}\n"
    match = FILE.match(text)
    comment = _comment_before(node)
    classes = [name for name in node["classes"] if name != "code"]
    return Block(
        page=page,
        line=node.get("line", 0),
        language=classes[0] if classes else "",
        text=text,
        path=match["path"] if match else "",
        not_run=comment.removeprefix(NOT_RUN).strip() if comment.startswith(NOT_RUN) else "",
        requires=comment.removeprefix(REQUIRES).strip() if comment.startswith(REQUIRES) else "",
    )


def _comment_before(node: nodes.literal_block) -> str:
    """Return the text of the comment directly before a block, in one line."""
    index = node.parent.index(node)
    before = node.parent[index - 1] if index else None
    return " ".join(before.astext().split()) if isinstance(before, nodes.comment) else ""


def _is_error(node: nodes.literal_block) -> bool:
    """Return whether a block is the text of an unknown directive in an error of docutils."""
    return isinstance(node.parent, nodes.system_message)
