"""The worst mistake of a comparison is a false "ok": what it lets pass is tried with samples of the writer."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.contracts.data.sample import sampler
from bridge.contracts.evolve.diff import compare_schemas
from bridge.contracts.model import Schema
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract
from tests.contracts.evolve.mutations import pair, renamed_pair

_SAMPLES = 15

#: Pairs that a comparison once got wrong.
_FOUND = (202, 346, 356)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_comparison_lets_pass_is_read_by_the_other_version(seed: int) -> None:
    _assert_sound(*pair(seed))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_it_lets_pass_of_new_names_is_read_by_the_other_version(seed: int) -> None:
    _assert_sound(*renamed_pair(seed))


@pytest.mark.parametrize("seed", _FOUND)
def test_pairs_that_were_once_judged_wrong(seed: int) -> None:
    _assert_sound(*pair(seed))


def _assert_sound(old: Schema, new: Schema) -> None:
    changes = compare_schemas(old, new)
    for category, writer, reader in (("ROWS", old, new), ("ROLLING", new, old)):
        write, read = compile_checks(writer, mode="write"), compile_checks(reader, mode="read")
        for change in changes:
            for example in change.counterexamples:
                if example.category == category:
                    assert write(example.row) == []
                    assert sorted(read(example.row)) == sorted(example.violations) != []
        if not any(category in change.verdicts for change in changes):
            for value in _samples(writer):
                assert read(value) == [], (category, value)


def _samples(schema: Schema) -> list[Any]:
    made = sampler(schema, "write")
    try:
        return [made.valid(Random(seed), seed % 5) for seed in range(_SAMPLES)]
    except InvalidContract:  # no value keeps it, and nothing can be written
        return []
