"""The page that says how contracts fare against the outside world; each run writes its own part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[3] / "docs" / "conformance.md"


def write(part: str, lines: Iterable[str], page: Path = PAGE) -> None:
    """Replace one part of the page, between its two marks.

    Raises:
        ValueError: The page has no such part.
    """
    begin, end = f"<!-- {part}: written by the run -->", f"<!-- end of {part} -->"
    text = page.read_text("utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no part {part!r}; put {begin} and {end} where it belongs")
    body = "\n".join([begin, *lines, end])
    replaced = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: body, text, flags=re.DOTALL)
    page.write_text(replaced, "utf-8")


def today() -> str:
    """Return the date of a run."""
    return datetime.now(UTC).date().isoformat()


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Return the lines of a table; numbers stand at the right."""
    found = [tuple(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) for row in rows]
    lines = [head, tuple("---" for _ in head), *found]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
