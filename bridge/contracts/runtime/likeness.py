"""Names that look like another one, for the message about a field that is missing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

#: What comes from a row is looked at only so far: the message is a help, and must not cost much.
_MOST_NAMES: Final = 20
_LONGEST: Final = 60

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z_\-\s]+")


def look_alike(name: str, others: Iterable[Any]) -> str | None:
    """Return the name that was probably meant by `name`: spelt alike, or of its words, such as `id` for `image_id`."""
    near = [other for other in islice(others, _MOST_NAMES) if isinstance(other, str) and len(other) <= _LONGEST]
    plain = {"".join(_words(other)): other for other in reversed(near)}
    if found := difflib.get_close_matches("".join(_words(name)), plain, n=1, cutoff=0.7):
        return plain[found[0]]
    wanted = set(_words(name))
    return next(
        (other for other in near if (words := set(_words(other))) and (words <= wanted or wanted <= words)), None
    )


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
