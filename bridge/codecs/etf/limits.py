"""How much a term may hold before decoding stops."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what `decode` does for bytes that come from elsewhere.

    Attributes:
        size: The longest input in bytes. Default: 64 MiB, room for the 64 MB of text that a recorded result has.
        inflated: The longest content of a compressed term, in bytes. Default: 32 MiB.
        depth: How many containers may lie in each other. Default: 256.
        elements: How many values the term may hold in all. Default: 4,000,000, which take 0.3 to 5 seconds.
    """

    size: int = 64 * 1024 * 1024
    inflated: int = 32 * 1024 * 1024
    depth: int = 256
    elements: int = 4_000_000


DEFAULT_LIMITS = Limits()
