"""Statements and values as drivers with placeholders of their own take them."""

import enum
import os
from datetime import datetime, timedelta

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.text import to_named, to_pyformat, to_text

SAME = [
    "select '$1'",
    "select 'it''s $1'",
    r"select e'\' $1', E'\\'",
    'select "a "" $1"',
    "-- $1 '\nselect 1",
    "/* $1 ' */ select 1",
    "select $$ $1 ' $$",
    "select $a$ $1 $b$ $2 $a$",
    "select a$1, $$$1$$",
    "select args @> '{}', args ?| array['a'] from t",
]


@pytest.mark.parametrize("statement", SAME)
def test_what_only_looks_like_a_placeholder_stays(statement):
    assert to_pyformat(statement) == statement


PLACES = {
    "select $1, $2, $10, $1": "select %(p1)s, %(p2)s, %(p10)s, %(p1)s",
    "select ($1)::text||$2::text": "select (%(p1)s)::text||%(p2)s::text",
    "select 5 % $1, '%s %' || \"100%\" -- %": "select 5 %% %(p1)s, '%%s %%' || \"100%%\" -- %%",
    "select '$1' || $1 || e'\\'$2' || $2": "select '$1' || %(p1)s || e'\\'$2' || %(p2)s",
    'insert into "$1 %s \' --".t values ($1)': 'insert into "$1 %%s \' --".t values (%(p1)s)',
    "select name'$1', $1": "select name'$1', %(p1)s",
}


@pytest.mark.parametrize("statement", PLACES)
def test_placeholders_are_named_and_percent_signs_escaped(statement):
    assert to_pyformat(statement) == PLACES[statement]


class Color(enum.StrEnum):
    RED = "red"


VALUES = [
    (None, None),
    ("text", "text"),
    (Color.RED, "red"),
    (True, "t"),
    (False, "f"),
    (-5, "-5"),
    (1.5, "1.5"),
    (datetime(2026, 3, 1, 12, 30, 15, 5), "2026-03-01T12:30:15.000005"),  # noqa: DTZ001 - as the columns are
    (timedelta(days=-1, microseconds=5), "-1 days 0 seconds 5 microseconds"),
    ([], "{}"),
    (["a", None, 'b"\\', "null"], r'{"a",NULL,"b\"\\","null"}'),
    ([[1, 2], [3, 4]], '{{"1","2"},{"3","4"}}'),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_values_are_written_as_postgresql_reads_them(value, text):
    assert to_text(value) == text


def test_values_are_named_by_their_places():
    assert to_named(["a", [1]]) == {"p1": "a", "p2": '{"1"}'}


def test_a_value_of_another_type_is_an_error():
    with pytest.raises(TypeError, match="can't send a dict"):
        to_text({})


@pytest.fixture(scope="module")
def cursor():
    conn = psycopg2.connect(os.environ["BRIDGE_TEST_DSN"])
    yield conn.cursor()
    conn.close()


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(texts=st.lists(TEXTS | st.none()), text=TEXTS)
def test_texts_and_arrays_arrive_as_they_are(cursor, texts, text):
    statement = "select $1::text[], $2::text, '%s $1'"
    cursor.execute(to_pyformat(statement), to_named([texts, text]))
    assert cursor.fetchone() == (texts, text, "%s $1")
