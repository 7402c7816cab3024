"""What people see: tables that fit the terminal, and texts of strangers that can do nothing to it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import typer

from bridge.telemetry.visible import visible, visible_json

if TYPE_CHECKING:
    from rich.table import Table

#: Characters a line where no terminal says how many fit.
_WIDE: Final = 160

#: The least room for a column whose texts are cut, and for one that is added where there is room.
_NARROW: Final = 8
_ROOM: Final = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its heading.
        flexible: Whether its texts are cut where there is not enough room.
        right: Whether they are set to the right, as numbers are.
        rank: 0 for one that is always shown; others are shown where there is room, the lowest first.
    """

    name: str
    flexible: bool = False
    right: bool = False
    rank: int = 0


def clean(text: str, keep: str = "") -> str:
    r"""Return a text with what a terminal would obey written as `\x1b` or `\u202e`, but for the characters `keep`."""
    return visible(text, keep)


def say(text: str, *, err: bool = False) -> None:
    """Print a line, with nothing in it that a terminal would obey."""
    forgive_encoding()
    typer.echo(clean(text), err=err)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of texts, a line each, with as many of the columns as the terminal has room for."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and scripts don't need it

    forgive_encoding()
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    cleaned = [[clean(text[: 2 * width]) for text in row] for row in rows]
    needs = _needs(columns, cleaned)
    places = _chosen(columns, needs, width)
    shown = [columns[place] for place in places]
    widths = _widths(shown, [needs[place] for place in places], width)
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    console.print(_table(shown, [[row[place] for place in places] for row in cleaned], widths))


def _needs(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len  # noqa: PLC0415

    return [max(map(cell_len, (column.name, *(row[place] for row in rows)))) for place, column in enumerate(columns)]


def _chosen(columns: Sequence[Column], needs: Sequence[int], width: int) -> list[int]:
    """Return the places of the columns for which there is room, in their order."""
    chosen: list[int] = []
    left = width - 1
    for place in sorted(range(len(columns)), key=lambda place: columns[place].rank):
        need = 3 + (min(needs[place], _ROOM) if columns[place].flexible else needs[place])
        if columns[place].rank and need > left:
            break
        chosen.append(place)
        left -= need
    return sorted(chosen)


def _widths(columns: Sequence[Column], needs: Sequence[int], width: int) -> list[int]:
    """Return each column's width; what is left of the line is shared among the flexible ones, by what they need."""
    widths = list(needs)
    flexible = sorted((place for place, column in enumerate(columns) if column.flexible), key=widths.__getitem__)
    left = width - 1 - sum(3 + need for need in needs) + sum(widths[place] for place in flexible)
    for taken, place in enumerate(flexible):
        widths[place] = min(widths[place], max(left // (len(flexible) - taken), _NARROW))
        left -= widths[place]
    return widths


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for column, width in zip(columns, widths, strict=True):
        justify: Any = "right" if column.right else "left"
        table.add_column(column.name, justify=justify, no_wrap=True, min_width=width, max_width=width)
    for row in rows:
        table.add_row(*(_cut(Text(text), width) for text, width in zip(row, widths, strict=True)))
    return table


def _cut(text: Any, width: int) -> Any:
    text.truncate(width, overflow="ellipsis")
    return text


def print_json(value: Any, *, indent: int | None = None) -> None:
    """Print a value as JSON, on one line unless it is indented."""
    typer.echo(to_json(value, indent=indent))


def to_json(value: Any, *, indent: int | None = None) -> str:
    r"""Return a value as JSON, in ASCII where the output can't hold more; see `jsonable` for what JSON lacks.

    Characters that a terminal would obey, or that end a line for some reader, are written as `\\u202e`, which JSON's
    readers take for the same.
    """
    ascii_only = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=_instead)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a nesting too deep
        shown = f"<not shown: {type(error).__name__}>"
        kept = {key: json.loads(to_json(inner)) for key, inner in value.items()} if isinstance(value, dict) else shown
        text = json.dumps(kept, ensure_ascii=ascii_only, indent=indent)
    return visible_json(text)


def jsonable(value: Any) -> Any:
    """Return what JSON can hold of a recorded result: tuples as lists, bytes and anything else as text, keys too."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _instead(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def forgive_encoding() -> None:
    """Write what the output's encoding lacks as escapes, rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of all scripts, on a terminal that may know only one
