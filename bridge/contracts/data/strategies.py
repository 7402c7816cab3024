"""Hypothesis strategies of contracts, for property tests; hypothesis is needed by this module alone.

A strategy feeds Hypothesis's own choices to the sampler, so what fails is shrunk: shorter arrays, first branches,
numbers near their bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies

from bridge.contracts.data.sample import DEFAULT_SIZE, Break, Mode, sampler
from bridge.contracts.model import Schema


def strategy(schema: Schema, size: int = DEFAULT_SIZE, *, mode: Mode = "write") -> strategies.SearchStrategy[Any]:
    """Return a strategy for values that keep a normalised schema; arguments are those of `valid`."""
    make = sampler(schema, mode)

    @strategies.composite
    def values(draw: Callable[[Any], Any]) -> Any:
        return make.valid(_Draws(draw), size)

    return values()


def near_miss_strategy(
    schema: Schema, size: int = DEFAULT_SIZE, *, mode: Mode = "write"
) -> strategies.SearchStrategy[tuple[Any, Break]]:
    """Return a strategy for values that break exactly one rule, each with (path, rule); see `near_misses`."""
    make = sampler(schema, mode)

    def broken(drawn: tuple[Any, int]) -> strategies.SearchStrategy[tuple[Any, Break]]:
        found = make.near_miss_of(drawn[0], Random(drawn[1]))  # noqa: S311 - the choice is Hypothesis's
        return strategies.nothing() if found is None else strategies.just(found)

    return strategies.tuples(strategy(schema, size, mode=mode), _SEEDS).flatmap(broken)


_SEEDS = strategies.integers(0, 2**32 - 1)
_THOUSANDTHS = strategies.integers(0, 999)


class _Draws(Random):
    """Draws each choice from Hypothesis; a text's characters come of one draw, which is many times faster."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__(0)
        self._draw = draw

    def random(self) -> float:
        return float(self._draw(_THOUSANDTHS)) / 1_000

    def getrandbits(self, k: int, /) -> int:
        return self.randint(0, 2**k - 1)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        first, end = (0, start) if stop is None else (start, stop)
        return first + step * self.randint(0, (end - first - 1) // step)

    def randint(self, a: int, b: int) -> int:
        return int(self._draw(strategies.integers(a, b))) if a < b else a

    def choice(self, seq: Any) -> Any:
        return seq[self.randint(0, len(seq) - 1)]

    def choices(self, population: Any, *_: Any, k: int = 1, **__: Any) -> list[Any]:
        seed = self._draw(_SEEDS)
        return Random(seed).choices(population, k=k) if seed else [population[0]] * k  # noqa: S311 - as above
