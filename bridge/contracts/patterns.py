r"""Regular expressions that mean the same in Python and on the BEAM: the part of ECMA-262 that all three share.

A pattern is read into a tree and written anew for each engine. Both get explicit sets of characters for `\d`, `\w`,
`\s`, `\b` and the dot, and an end that is the very end, so that no flag of an engine changes what it matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bridge.contracts.ambiguity import find_ambiguity
from bridge.contracts.expressions import (
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Ranges,
    Repeat,
    Sequence,
    parse,
    width_of,
)
from bridge.contracts.polynomial import degree_of
from bridge.errors import InvalidContract

# PCRE compiles a pattern to at most 64 KB and repeats at most so often.
_LARGEST: Final = 40_000
_MOST_REPEATS: Final = 65_535
# From this exponent on, texts must be short: so that no more than so many ways to read one are tried.
_STEEP: Final = 2
_MOST_WAYS: Final = 100_000_000
_SPECIAL: Final = frozenset("\\.^$*+?()[]{}|")
_SPECIAL_IN_CLASS: Final = frozenset("\\[]^-&~|")
_CONTROLS: Final = {9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
_WORD: Final = "[0-9A-Z_a-z]"
_EDGES: Final = {
    "^": "^",
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}


@dataclass(frozen=True)
class Pattern:
    """One pattern for two engines.

    Attributes:
        python: For `re.compile`, without flags; it is searched for.
        pcre: For `Regex.compile!(…, "u")` in Elixir, or `:re` with `unicode`.
    """

    python: str
    pcre: str


@lru_cache(maxsize=4096)
def translate(pattern: str) -> Pattern:
    r"""Return a pattern of ECMA-262 (with the flag `u`) as Python and PCRE need it.

    Raises:
        InvalidContract: It is none; or the engines differ about it (backreferences, `\p{…}`, flags, lookbehind of
            varying width); or a text could keep an engine busy for ever, as with `(a+)+`.
    """
    tree = parse(pattern)
    _check(tree, pattern)
    if _size(tree) > _LARGEST:
        raise InvalidContract("pattern", pattern, "a pattern that PCRE can hold", "repeat smaller parts, or less often")
    if (twice := find_ambiguity(tree)) is not None:
        mend = (
            "let each text match in one way: drop one of two nested + or *, or begin each repetition with a separator"
        )
        part = f"near {_write(twice, python=True)}" if twice is not tree else "in it"
        raise InvalidContract(
            "pattern", pattern, f"a pattern whose time can't explode; the repetition {part} can", mend
        )
    return Pattern(python=_write(tree, python=True), pcre=_write(tree, python=False))


@lru_cache(maxsize=4096)
def longest_text(pattern: str) -> int | None:
    r"""Return how long a text may be that the pattern is tried on, or None where any length is fast enough.

    Where three or more repetitions may share a text, as in `a*a*a*b` or `\S+@\S+\.\S+`, time grows by more than the
    square of its length.
    """
    degree = degree_of(parse(pattern))
    return None if degree < _STEEP else int(_MOST_WAYS ** (1 / (degree + 1)))


def _check(node: Node, pattern: str) -> None:
    match node:
        case Look(ahead=False, inner=inner) if width_of(inner) is None:
            raise InvalidContract("pattern", pattern, "a lookbehind of one width", "give all its branches one length")
        case Repeat(low=low, high=high) if max(low, high or 0) > _MOST_REPEATS:
            raise InvalidContract("pattern", pattern, f"at most {_MOST_REPEATS:,} repetitions", "PCRE has no more")
    for inner in _inner(node):
        _check(inner, pattern)


def _inner(node: Node) -> tuple[Node, ...]:
    match node:
        case Sequence(items=items) | Choice(options=items):
            return items
        case Repeat(inner=inner) | Look(inner=inner):
            return (inner,)
    return ()


def _size(node: Node) -> int:
    """Return about how many bytes PCRE makes of a pattern: it writes a repeated group out."""
    match node:
        case Chars(ranges=ranges, negated=negated):
            return 5 if len(ranges) == 1 and not negated and ranges[0][0] == ranges[0][1] else 40 + 10 * len(ranges)
        case Repeat(inner=inner, low=low, high=high):
            copies = 1 if isinstance(inner, Chars) else max(low, 1) if high is None else max(high, 1)
            return 8 + copies * (_size(inner) + 6)
        case Edge():
            return 200
    return 8 + sum(4 + _size(inner) for inner in _inner(node))


def _write(node: Node, python: bool) -> str:
    if isinstance(node, Chars):
        return _write_chars(node, python)
    if isinstance(node, Edge):
        return _EDGES[node.kind] if node.kind != "$" else "\\Z" if python else "\\z"
    match node:
        case Sequence(items=items):
            return "".join(
                f"(?:{_write(item, python)})" if isinstance(item, Choice) else _write(item, python) for item in items
            )
        case Choice(options=options):
            return "|".join(_write(option, python) for option in options)
        case Repeat(inner=inner, low=low, high=high, lazy=lazy):
            text = _write(inner, python)
            text = text if isinstance(inner, Chars) and inner.ranges else f"(?:{text})"
            return f"{text}{_times(low, high)}{'?' if lazy else ''}"
    return f"(?{'' if node.ahead else '<'}{'!' if node.negated else '='}{_write(node.inner, python)})"


def _times(low: int, high: int | None) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((low, high))
    if short is not None:
        return short
    return f"{{{low},}}" if high is None else f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def _write_chars(chars: Chars, python: bool) -> str:
    ranges = chars.ranges
    if not ranges:
        return "(?s:.)" if chars.negated else "(?!)"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1] and not chars.negated:
        return _char(ranges[0][0], python, _SPECIAL)
    return f"[{'^' if chars.negated else ''}{''.join(_range(low, high, python) for low, high in _valid(ranges))}]"


def _valid(ranges: Ranges) -> Ranges:
    """Return ranges without surrogates, which no text has and PCRE doesn't take."""
    found: list[tuple[int, int]] = []
    for low, high in ranges:
        if low < 0xD800:
            found.append((low, min(high, 0xD7FF)))
        if high > 0xDFFF:
            found.append((max(low, 0xE000), high))
    return tuple(found)


def _range(low: int, high: int, python: bool) -> str:
    first, last = _char(low, python, _SPECIAL_IN_CLASS), _char(high, python, _SPECIAL_IN_CLASS)
    return first if low == high else f"{first}{last}" if high == low + 1 else f"{first}-{last}"


def _char(code: int, python: bool, special: frozenset[str]) -> str:
    if code in _CONTROLS:
        return _CONTROLS[code]
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if code < 0x80:
        return f"\\{chr(code)}" if chr(code) in special else chr(code)
    if not python:
        return f"\\x{{{code:x}}}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
