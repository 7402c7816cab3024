"""Searches text for a pattern of a contract, which has the meaning that ECMA-262 gives it."""

from __future__ import annotations

import re
from collections.abc import Callable

from bridge.contracts.patterns import translate


def searcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Return what searches text for a pattern.

    Raises:
        InvalidContract: A pattern that the languages read differently, or that is none.
    """
    return re.compile(translate(pattern).python).search
