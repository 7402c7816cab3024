"""Samples of a contract: values that keep it, and values that break it in one way each.

Made from the schema alone, with a `random.Random` of the caller's: the same seed gives the same samples. Each one has
been through the checker that the runtime uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any, Final, Literal

from bridge.contracts.data.aged import compile_ages
from bridge.contracts.data.generator import Generator
from bridge.contracts.data.near import NearMisses
from bridge.contracts.data.plain import NoValue
from bridge.contracts.model import Schema
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract

Mode = Literal["strict", "read", "write"]
Break = tuple[str, str]
"""Where a value breaks its schema and which rule: `("/attendee/name", "maxLength")`."""

DEFAULT_SIZE: Final = 4
_TRIES: Final = 100


def valid(schema: Schema, random: Random, size: int = DEFAULT_SIZE, *, mode: Mode = "write") -> Any:
    """Return a value that keeps a normalised schema.

    Args:
        schema: A self-contained root, such as `Model.schema`.
        random: Where every choice comes from.
        size: How deep free choices nest, and how many items and fields they add; bounds of the schema go before it.
        mode: `write` for what a job may be enqueued with; `read` has what older and newer writers send too: fields
            that the contract doesn't know, other text in open enums, and former names.

    Raises:
        InvalidContract: No value was found: some of the schema's keywords contradict each other.
    """
    return sampler(schema, mode).valid(random, size)


def near_misses(
    schema: Schema, random: Random, size: int = DEFAULT_SIZE, *, mode: Mode = "write"
) -> Iterator[tuple[Any, Break]]:
    """Yield values that break exactly one rule of a normalised schema, each with the place and the rule, without end.

    All rules of the schema come in turn. Where nothing can be broken, as in `true`, nothing is yielded.

    Raises:
        InvalidContract: The schema has no valid value to start from.
    """
    return sampler(schema, mode).near_misses(random, size)


def sampler(schema: Schema, mode: Mode = "write") -> Sampler:
    """Return the sampler of a schema; one is kept for each that was asked for lately."""
    return _sampler(json.dumps(schema), mode)


class Sampler:
    """Makes samples of one schema for one mode."""

    def __init__(self, schema: Schema, mode: Mode = "write") -> None:
        self._schema = schema
        self._check = compile_checks(schema, mode=mode)
        self._generator = Generator(schema, extras=mode != "write", unknown_text=mode == "read")
        self._age = compile_ages(schema) if mode == "read" else None
        self._breaker = NearMisses(schema, self._generator, self._check)

    def valid(self, random: Random, size: int = DEFAULT_SIZE) -> Any:
        """Return a value that keeps the schema; see `valid`."""
        failure: NoValue | None = None
        for attempt in range(_TRIES):
            try:
                found = self._generator.generate(
                    self._schema, random, size if attempt < _TRIES // 2 else 1, again=attempt > 0
                )
            except NoValue as error:
                failure = error
                if error.exhausted:
                    break
                continue
            if not self._check(found):
                return found if self._age is None else self._aged(found, random)
        raise _unsatisfiable(self._schema, failure)

    def _aged(self, value: Any, random: Random) -> Any:
        """Return the value with some former names, where it keeps the schema with them."""
        found = value if self._age is None else self._age(value, random)
        return value if self._check(found) else found

    def near_misses(self, random: Random, size: int = DEFAULT_SIZE) -> Iterator[tuple[Any, Break]]:
        """Yield values that break exactly one rule; see `near_misses`."""
        return self._breaker.around(lambda: self.valid(random, size), random)

    def near_miss_of(self, value: Any, random: Random) -> tuple[Any, Break] | None:
        """Return a valid value with one rule broken, and which; None where nothing of it can be broken alone."""
        return next(self._breaker.of(value, random), None)


@lru_cache(maxsize=64)
def _sampler(text: str, mode: Mode) -> Sampler:
    return Sampler(json.loads(text), mode)


def _unsatisfiable(schema: Schema, failure: NoValue | None) -> InvalidContract:
    where, part = (failure.where, failure.schema) if failure else ("", schema)
    mend = "its keywords leave nothing over, or hardly anything: loosen one of them"
    return InvalidContract(where or "(root)", part, "a schema that some value keeps", mend)
