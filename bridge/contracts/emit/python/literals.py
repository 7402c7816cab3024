"""Text of a contract inside Python source: nothing in it can end a literal, hide, or turn a line around."""

from __future__ import annotations

import json
import re
import textwrap
import unicodedata
from typing import Any

from bridge.errors import InvalidContract

WIDTH = 88
"""Lines are wrapped to what formatters call the default, where a text can be wrapped."""

# Controls, line and paragraph separators, marks that draw nothing, and those that turn the reading direction around.
# A list of our own, so that the same text is written the same by every version of Python.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]"
)
# A quote at the end with an even number of backslashes before it, so that none of them is its own.
_OPEN_QUOTE = re.compile(r'(?<!\\)(\\\\)*"\Z')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")


def fits(line: str) -> bool:
    """Tell whether a line is short enough; what Chinese and Japanese write takes two columns."""
    return len(line) <= WIDTH // 2 or sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in line) <= WIDTH


def kept(line: str) -> str:
    """Return a line that can't be broken, marked where it is too long, so that formatters leave it as it is."""
    return line if fits(line) else f"{line}  # fmt: skip"


def text(value: str) -> str:
    """Return a string literal."""
    return quoted(_visible(_whole(value).replace("\\", "\\\\"), _python_escape))


def quoted(escaped: str) -> str:
    """Put quotes around text whose backslashes and hidden characters are escaped: those that need fewer escapes."""
    quote = "'" if escaped.count('"') > escaped.count("'") else '"'
    return quote + escaped.replace(quote, f"\\{quote}") + quote


def value(data: Any) -> str:
    """Return the literal of a JSON value, on one line."""
    if isinstance(data, str):
        return text(data)
    if isinstance(data, dict):
        return "{" + ", ".join(f"{text(key)}: {value(item)}" for key, item in data.items()) + "}"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(value, data)) + "]"
    return repr(data)


def compact(data: Any) -> str:
    """Return a JSON value as JSON text that may stand in a raw string of triple quotes.

    JSON never has three quotes in a row, and all that would not be seen is escaped.
    """
    return _visible(_whole(json.dumps(data, ensure_ascii=False, separators=(",", ":"))), _json_escape)


def comment(words: str) -> str:
    """Return a comment of one line."""
    return "# " + _visible(_whole(words), _python_escape)


def docstring(words: str, indent: int = 0) -> list[str]:
    """Return a docstring's lines as formatters leave them, or none for no text."""
    room = WIDTH - indent
    lines = _paragraphs(words, room)
    if not lines:
        return []
    quoted = [_visible(_whole(line.replace("\\", "\\\\").replace('"""', r"\"\"\"")), _python_escape) for line in lines]
    margin = " " * indent
    # A quote beside the quotes keeps its distance by a space, which is how formatters write it.
    first = f" {quoted[0]}" if quoted[0].startswith('"') else quoted[0]
    if len(quoted) == 1:
        last = " " if _OPEN_QUOTE.search(first) else ""
        return [f'{margin}"""{first}{last}"""']
    return [f'{margin}"""{first}', *(f"{margin}{line}" if line else "" for line in quoted[1:]), f'{margin}"""']


def _paragraphs(words: str, room: int) -> list[str]:
    found = [line.rstrip() for line in words.expandtabs().strip().splitlines()]
    if not found:
        return []
    first, rest = found[0], textwrap.dedent("\n".join(found[1:])).split("\n") if found[1:] else []
    if len(found) > 1 or len(first) > room - 6:
        first, rest = _summary(first, rest, room)
    return [part for line in (first, *rest) for part in _wrapped(line, room)]


def _summary(first: str, rest: list[str], room: int) -> tuple[str, list[str]]:
    """Let the first sentence stand alone where it fits, as readers of docstrings expect it."""
    if len(first) <= room - 3 or not (end := _SENTENCE.search(first)) or end.start() > room - 3:
        return first, rest
    return first[: end.start()], ["", first[end.end() :], *rest]


def _wrapped(line: str, room: int) -> list[str]:
    if not line:
        return [""]
    margin = line[: len(line) - len(line.lstrip())][: room // 2]
    return textwrap.wrap(
        line.strip(), room, initial_indent=margin, subsequent_indent=margin, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _visible(words: str, escape: Any) -> str:
    return _HIDDEN.sub(lambda found: escape(ord(found[0])), words)


def _python_escape(code: int) -> str:
    if chr(code) in _SHORT:
        return _SHORT[chr(code)]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _whole(words: str) -> str:
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise InvalidContract(
            "text", words, "text without lone surrogates, which no file can hold", f"remove {words[error.start]!r}"
        ) from None
    return words
