"""Text that a pattern matches: its tree, read as a recipe.

Edges and what a pattern looks at without taking ask for nothing here: what they would refuse, the caller's check
refuses.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final

from bridge.contracts.expressions import Chars, Choice, Node, Ranges, Repeat, Sequence, complement, normal, parse

#: What stands for "any other character": plain ones first, then ones that catch bad implementations.
_OTHERS: Final = "a0 Z_-.,/:;!é\u0301ß中😀\u2028\n\t\"\\<&'"
#: Surrogates and U+0000 can't be stored.
_NEVER: Final[Ranges] = ((0, 0), (0xD800, 0xDFFF))
_LONGEST: Final = 10_000


def matching(pattern: str, random: Random, most: int) -> str:
    """Return text that `pattern` matches as a whole; what has no bound is repeated `most` times more than it must.

    Raises:
        InvalidContract: The pattern is not of the supported subset.
    """
    return _text(_tree(pattern), random, most)


@lru_cache(maxsize=512)
def _tree(pattern: str) -> Node:
    return parse(pattern)


def _text(node: Node, random: Random, most: int) -> str:
    match node:
        case Chars(ranges=ranges, negated=negated):
            return _char(ranges, negated, random)
        case Sequence(items=items):
            return "".join([_text(item, random, most) for item in items])
        case Choice(options=options):
            return _text(random.choice(options), random, most)
        case Repeat(inner=inner, low=low, high=high):
            top = low + most if high is None else min(high, low + most)
            times = random.randint(min(low, _LONGEST), min(top, _LONGEST))
            return "".join([_text(inner, random, most) for _ in range(times)])
    return ""


def _char(ranges: Ranges, negated: bool, random: Random) -> str:
    candidates = _candidates(ranges, negated)
    if not candidates:
        return ""  # a set without characters, of which there is no text
    first, last = random.choice(candidates)
    return chr(random.randint(first, last))


@lru_cache(maxsize=512)
def _candidates(ranges: Ranges, negated: bool) -> Ranges:
    if not negated:
        return complement(normal((*complement(ranges), *_NEVER)))
    others = [ord(char) for char in _OTHERS if not any(low <= ord(char) <= high for low, high in ranges)]
    return tuple((code, code) for code in others) or complement(normal((*ranges, *_NEVER)))
