"""Containment as this process has it, beside PostgreSQL's own answers."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.engine import documents
from bridge.engine.documents import Document

SCALARS = st.sampled_from([0, 1, 1.0, -1, 10, 1.5, 1e20, "", "1", "a", "é", True, False, None])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def bent(value, draw):
    """Return a value that is often the same to PostgreSQL, written otherwise."""
    if isinstance(value, dict):
        return {key: bent(item, draw) for key, item in value.items()}
    if isinstance(value, list):
        items = [bent(item, draw) for item in value]
        return draw(st.permutations(items + draw(st.lists(st.sampled_from(items or [[]]), max_size=2))))
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


PAIRS = st.composite(lambda draw: (left := draw(OBJECTS), draw(st.one_of(OBJECTS, st.just(bent(left, draw))))))()


async def ask(conn, left, right):
    return await conn.fetchrow(
        "select a @> b, b @> a from (select $1::text::jsonb as a, $2::text::jsonb as b) as t", left, right
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(PAIRS, min_size=1, max_size=1))
@pytest.mark.parametrize("few", [0, documents._FEW], ids=["looked up", "gone through"])
async def test_it_is_postgresqls(conn, monkeypatch, few, pairs):
    monkeypatch.setattr(documents, "_FEW", few)
    for left, right in pairs:
        texts = json.dumps(left), json.dumps(right)
        first, second = map(Document, texts)

        holds, held = await ask(conn, *texts)

        assert first.contains(second) == holds
        assert second.contains(first) == held
        assert first.equals(second) == second.equals(first) == (holds and held)
        if holds and held:
            assert first.digest == second.digest


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": 100}', '{"a": 1e2}', True),
        ('{"a": 0}', '{"a": -0.0}', True),
        ('{"a": 12345678901234567890.1}', '{"a": 12345678901234567890.2}', False),
        ('{"a": 123456789012345678901234567890}', '{"a": 123456789012345678901234567891}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": [1, 2]}', '{"a": [2, 1, 1]}', True),
        ('{"a": [[], [1]]}', '{"a": [[1]]}', True),
        ('{"a": [{"x": 1}, {"x": 1, "y": 2}]}', '{"a": [{"y": 2, "x": 1}]}', True),
        ('{"a": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}', '{"a": [{"x": 1, "y": 4}, {"x": 3, "y": 2}]}', False),
        ('{"a": []}', '{"a": {}}', False),
        ('{"a": null}', "{}", False),
        ('{"a\\u0001": 1}', '{"a": "\\u00011"}', False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
    ],
)
async def test_the_same_both_ways(conn, left, right, same):
    assert await ask(conn, left, right) == (same, same) or not same
    assert Document(left).equals(Document(right)) is same
    assert (Document(left).digest == Document(right).digest) or not same


@pytest.mark.timeout(60)  # each item beside each other one would take minutes
def test_thousands_of_nested_items_are_compared_in_no_time():
    items = [{"id": number, "name": "same"} for number in range(10_000)]
    document = Document(json.dumps({"a": items}))

    assert document.equals(Document(json.dumps({"a": items[::-1]})))
    assert not document.contains(Document(json.dumps({"a": [*items, {"id": 10_000}]})))


async def test_part_of_a_document_keeps_its_numbers(conn):
    document = Document('{"n": 0.10000000000000000000000000001, "é": [1.0], "x": 2}')

    picked = document.pick(["é", "n", "missing"])

    assert await conn.fetchval("select $1::text::jsonb::text", picked.text) == (
        '{"n": 0.10000000000000000000000000001, "é": [1.0]}'
    )
    assert picked.scalar_paths() == [("n",)]
    assert picked.has_arrays
    assert not document.pick(["n"]).has_arrays
    assert document.pick(["missing"]).is_empty


def test_a_document_deeper_than_any_that_is_built_is_compared():
    deep = '{"a": ' * 256 + "1" + "}" * 256

    assert Document(deep).equals(Document(deep.replace("1", "1.0")))
    assert not Document(deep).contains(Document(deep.replace("1", "2")))
