"""Text of a contract inside Elixir source: nothing in it can end a literal, interpolate, hide or turn a line around.

Each literal is written the way Elixir's formatter leaves it, so that generated code needs no formatter.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Any, Final

from bridge.errors import InvalidContract

WIDTH: Final = 98
"""The formatter's line length, by default."""

# What is shown as it is: ASCII, letters of Europe and Asia's common scripts, and typographers' marks. Everything else
# could be invisible, combine with its neighbour or reverse the line, and its width is not for us to know.
_PLAIN: Final = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u03ff\u0400-\u0482\u048a-\u052f"
    r"\u1e00-\u1eff\u2010-\u2016\u2018-\u2026\u20ac\u2190-\u21ff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
)
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BARE_ATOM: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*[?!]?\Z")
_QUOTED: Final = frozenset({"nil", "true", "false", "Elixir"})
_BARE_OPERATORS: Final = frozenset({
    "!", "&", "*", "+", "-", ".", "/", "<", "=", ">", "@", "^", "|", "!=", "&&", "**", "++", "--", "<-", "<=", "<>",
    "==", "=~", ">=", "||", "===", "!==", "&&&", "...",
})  # fmt: skip


def text(value: str) -> str:
    """Return a string literal in double quotes."""
    return '"' + "".join(map(_escaped, _sound(value))).replace("#{", "\\#{") + '"'


def atom(name: str) -> str:
    """Return the literal of an atom, in quotes where it must have them."""
    return f":{name}" if _is_bare(name) else f":{_quoted(name)}"


def key(name: str) -> str:
    """Return an atom as the key of a keyword list, a struct or a map: `id:`."""
    return f"{name}:" if _is_bare(name) and name not in _BARE_OPERATORS else f"{_quoted(name)}:"


def number(value: float) -> str:
    """Return the literal of a number; an integer of six digits or more has underscores, as formatted."""
    if isinstance(value, int):
        return _grouped(str(value))
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    return f"{_grouped(whole)}.{fraction or '0'}" + (f"e{int(exponent)}" if exponent else "")


def scalar(value: Any) -> str:
    """Return the literal of a JSON value without parts."""
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    return text(value) if isinstance(value, str) else number(value)


def paragraph(words: str, indent: int) -> list[str]:
    """Return text as lines of a heredoc, wrapped where a line is too long, without blank lines at its ends."""
    lines: list[str] = []
    for line in re.split(r"\r\n|[\n\r]", _sound(words).strip("\r\n")):
        margin = re.match(r" *(?:[*-] )?", line)
        hanging = " " * len(margin.group()) if margin else ""
        wrapped = textwrap.wrap(
            line.rstrip(), WIDTH - indent, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
        )
        lines += wrapped or [""]
    return [_in_heredoc(line) for line in lines]


def comment(words: str) -> str:
    """Return a comment of one line."""
    return "# " + "".join(char if _PLAIN.match(char) else _code(char) for char in _sound(words))


def _in_heredoc(line: str) -> str:
    shown = "".join(char if char == '"' else _escaped(char) for char in line.replace("\t", "  ").rstrip())
    return shown.replace("#{", "\\#{").replace('"""', '\\"\\"\\"')


def _escaped(char: str) -> str:
    return _ESCAPES.get(char) or (char if _PLAIN.match(char) else _code(char))


def _code(char: str) -> str:
    return f"\\u{{{ord(char):X}}}"


def _quoted(name: str) -> str:
    # With an escape in it the formatter doesn't ask whether the quotes are needed, which versions answer differently.
    if name.isascii() and re.search(r"\w", name):
        return text(name)
    return '"' + "".join(_code(char) if not char.isascii() or not char.isalnum() else char for char in name) + '"'


def _is_bare(name: str) -> bool:
    return name in _BARE_OPERATORS or (_BARE_ATOM.match(name) is not None and name not in _QUOTED)


def _grouped(digits: str) -> str:
    sign, bare = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return sign + (f"{int(bare):_}" if len(bare) >= 6 else bare)


def _sound(value: str) -> str:
    for char in value:
        if unicodedata.category(char) == "Cs":
            raise InvalidContract("text", value, "text without lone surrogates", "remove \\ud800 to \\udfff from it")
    return value
