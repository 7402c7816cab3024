"""Samples on the pages: a contract's own examples, checked, and one that is made from its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from bridge.contracts import objects
from bridge.contracts.data.sample import sampler
from bridge.contracts.emit.docs.classes import mark
from bridge.contracts.emit.docs.html import Html, tag
from bridge.contracts.model import Schema
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract

_TRIES: Final = 40


def samples(schema: Schema, seed: str) -> Iterator[tuple[str, Any, Html]]:
    """Yield each sample with its title and what the checker says of it."""
    check = compile_checks(schema, mode="write")
    for example in schema.get("examples", ()) if isinstance(schema, dict) else ():
        violations = check(example)
        verdict = mark("checked", "good") if not violations else mark(f"breaks {violations[0].rule}", "warn")
        yield "Example", example, verdict
    try:
        yield "Made from the schema", _made(schema, seed), mark("checked", "good")
    except InvalidContract:
        yield "Made from the schema", None, mark("no value keeps this schema", "warn")


def block(value: Any) -> Html:
    """Return a JSON value as text to read."""
    return tag("pre", tag("code", json.dumps(value, ensure_ascii=False, indent=2)), tabindex="0")


def _made(schema: Schema, seed: str) -> Any:
    """Return the plainest of some values, with fields' own examples where they fit."""
    random, make = Random(seed), sampler(schema)  # noqa: S311 - pages are to be repeatable
    found = min((make.valid(random, 2) for _ in range(_TRIES)), key=_oddness)
    check = compile_checks(schema, mode="write")
    for name, example in _examples(schema) if isinstance(found, dict) else ():
        if name in found and not check({**found, name: example}):
            found = {**found, name: example}
    return found


def _oddness(value: Any) -> tuple[int, int, int]:
    text = json.dumps(value)
    fields = len(value) if isinstance(value, dict) else 0
    return text.count("\\"), -fields, len(text)


def _examples(schema: Schema) -> Iterator[tuple[str, Any]]:
    for name, sources in objects.fields_of(schema, schema).items():
        for source in sources:
            if isinstance(source, dict) and source.get("examples"):
                yield name, source["examples"][0]
