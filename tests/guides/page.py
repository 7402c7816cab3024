"""A page of the documentation as the blocks that a reader would run, from top to bottom.

A fenced block says its language. An HTML comment that begins with a language, `<!-- python`, is a block that readers
don't see: set-up and checks. Before a block, `<!-- not run: why -->` leaves it out, and `<!-- save: a/b.json -->` saves
it there. `<!-- page: no database -->` anywhere runs the page without `DATABASE_URL`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: What a block may be. `text` and unnamed blocks show something; they are not run.
LANGUAGES = ("python", "console", "toml", "json", "sql", "elixir", "text")

_BLOCKS = re.compile(
    r"^(?P<indent>[ ]*)```(?P<shown>[^\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$"
    r"|^<!--[ ](?P<hidden>python|console|sql|toml)\n(?P<unseen>.*?)^-->[ ]*$"
    r"|^<!--[ ](?P<note>not[ ]run|save):[ ](?P<said>[^\n]+?)[ ]-->[ ]*\n",
    re.DOTALL | re.MULTILINE,
)
_FILE = re.compile(r"#\s+([\w.-]+\.(?:py|toml|json|exs?))\s*(?:[;,:].*)?$")


@dataclass(frozen=True)
class Block:
    """One block: its language, its text, the line of the page that it begins on, why it is not run, if it isn't.

    `save` is the file that a note names for it.
    """

    language: str
    code: str
    line: int
    left_out: str | None = None
    save: str | None = None

    @property
    def file(self) -> str | None:
        """Where the block is saved: the file that a note names, or the bare name in its first line's comment."""
        found = _FILE.match(self.code.partition("\n")[0])
        return self.save or (found[1] if found else None)


def pages() -> list[Path]:
    """Every page that tells people how to use the project."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def read_blocks(text: str) -> list[Block]:
    """Return the page's blocks in order.

    Raises:
        ValueError: A language that nobody runs, or a note that stands before no block.
    """
    found: list[Block] = []
    note: tuple[int, str, str] | None = None
    for match in _BLOCKS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["note"]:
            note = (line, match["note"], match["said"])
            continue
        language = match["hidden"] or match["shown"].strip()
        if language.startswith("{"):  # a directive of Sphinx's, which `make docs` runs
            continue
        if language not in LANGUAGES:
            raise ValueError(f"line {line}: a block says one of {', '.join(LANGUAGES)}, not {language or 'nothing'!r}")
        code = match["unseen"] if match["hidden"] else _dedented(match["code"], match["indent"])
        if note is not None and note[0] + 1 != line:
            raise ValueError(f"line {note[0]}: the note stands before no block")
        said = {note[1]: note[2]} if note else {}
        found.append(Block(language, code, line, said.get("not run"), said.get("save")))
        note = None
    return found


def _dedented(code: str, indent: str) -> str:
    return "\n".join(line.removeprefix(indent) for line in code.split("\n"))
