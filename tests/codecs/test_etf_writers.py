"""The compiled writer and the one of Python: the same bytes for every value, or the same refusal."""

import enum
import gc
import importlib.util
import math
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import codec_terms as terms
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.codecs import etf
from bridge.codecs.etf import Atom, BitString, ImproperList, LocalTerm, PairMap, Pid, Struct
from bridge.codecs.etf import write as write_module
from bridge.codecs.etf.write import MAX_BITS, NotWritable, TooMuch
from bridge.codecs.etf.writers import PYTHON
from bridge.codecs.plain import MAX_DEPTH, MAX_ELEMENTS
from bridge.errors import EncodeError

PROFILES = pytest.mark.parametrize("profile", ["portable", "native"])
Writers = dict[str, Callable[[Any], bytes]]


class Name(str):
    """Text that claims to be another."""

    def encode(self, *_: Any) -> bytes:
        return b"another"


class Count(int):
    pass


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 300


Point = namedtuple("Point", "x y")  # noqa: PYI024 - an odd tuple on purpose


def outcome(write: Callable[[Any], bytes], value: Any) -> Any:
    """The bytes, or the class of the refusal."""
    try:
        return write(value)
    except (NotWritable, TooMuch) as error:
        return type(error)


def assert_alike(compiled: Writers, value: Any) -> None:
    for profile, write in PYTHON.items():
        assert outcome(compiled[profile], value) == outcome(write, value), profile


EDGES = [2**bits + step for bits in (0, 8, 31, 32, 40, 63, 64, 2040, 2048) for step in (-1, 0, 1)]
edges = st.sampled_from(EDGES)
odd = st.sampled_from([
    float("nan"), math.inf, -math.inf, -0.0, 5e-324, "\ud800", "a\udfff" * 400, "é" * 1024, "é" * 1025, "日" * 600, "",
    "x" * 70_000, b"", b"\xff" * 300, Name("x"), Count(3), Color.RED, Level.HIGH, Point(1, 2), OrderedDict(a=1),
    bytearray(b"a"), memoryview(b"a"), Decimal(1), datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, range(3), object(), int,
    Atom("é" * 127), Atom("é" * 128), Atom("x" * 256), Atom("\ud800"), Atom("日" * 255), PairMap(((1, 2),)), Pid(b"X"),
    BitString(b"\x80", 1), ImproperList((1,), 2), LocalTerm(b"y"), Struct("A", {}), [], (), {}, [[]], ((),), 1j,
])  # fmt: skip
leaves = terms.native_values | odd | edges | edges.map(lambda number: -number) | st.text() | st.binary()
keys = (
    st.text() | terms.hashable | st.sampled_from([Name("k"), Color.RED, True, math.nan, Atom("a"), "\ud800", b"k", 1.5])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.integers() | edges, inner, max_size=4)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=anything)
def test_both_writers_give_the_same_bytes_or_the_same_refusal(compiled: Writers, value: Any) -> None:
    assert_alike(compiled, value)


def test_both_writers_write_random_terms_alike(compiled: Writers) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    written = 0
    for _ in range(20_000):
        value = terms.random_value(rng)
        for profile, write in PYTHON.items():
            result = outcome(write, value)
            written += type(result) is bytes
            assert outcome(compiled[profile], value) == result, (seed, profile, value)
    assert written > 10_000


def test_both_writers_change_tags_at_the_same_sizes(compiled: Writers) -> None:
    for number in EDGES:
        assert_alike(compiled, [number, -number, (number,), {number: -number}])
    for size in (0, 1, 254, 255, 256, 257, 1_023, 1_024, 1_025, 2_035, 2_036, 65_535, 65_536):
        for value in (["a"] * size, ("a",) * size, "a" * size, "é" * size, b"a" * size, dict.fromkeys(range(size))):
            assert_alike(compiled, value)
        for character in "aé日😀":
            assert_alike(compiled, Atom(character * size))


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("leaf", [1, [], (), {}, {"a": 1}, (1,), [float("nan")]])
@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: {1: v}])
def test_both_writers_stop_at_the_same_depth(compiled: Writers, wrap: Any, leaf: Any, levels: int) -> None:
    value = leaf
    for _ in range(levels):
        value = wrap(value)
    assert_alike(compiled, value)


def test_both_writers_take_integers_of_the_same_width(compiled: Writers) -> None:
    for number in (2**MAX_BITS - 1, 1 - 2**MAX_BITS, 2**MAX_BITS, -(2**MAX_BITS)):
        assert_alike(compiled, [number, {"a": number}])


def test_both_writers_stop_at_the_same_number_of_values(compiled: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_module, "MAX_ELEMENTS", 1_000)
    limited = load_again(compiled)
    full = [None] * 998  # and the two of the list around it
    for value, expected in (
        ([full, 1], bytes),
        ([full, []], bytes),
        ([full, {}], bytes),
        ([full, [1]], TooMuch),
        ([full, (1,)], TooMuch),
        ([full, {"a": 1}], TooMuch),
        ([full, {None: 1}], NotWritable),
        ([full, 1, 2], TooMuch),
        ({"a": full}, bytes),
        ({"a": full, "b": 1}, TooMuch),
    ):
        for profile, write in PYTHON.items():
            result = outcome(write, value)
            assert outcome(limited[profile], value) == result
            assert (result if isinstance(result, type) else type(result)) is expected


def load_again(compiled: Writers) -> Writers:
    """The compiled writers once more, which take the limits of `write.py` as they are now."""
    spec = importlib.util.find_spec(compiled["portable"].__module__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {profile: getattr(module, write.__name__) for profile, write in compiled.items()}


def test_the_limit_on_values_is_the_real_one(compiled: Writers) -> None:
    assert outcome(compiled["portable"], [None] * (MAX_ELEMENTS + 1)) is TooMuch
    assert type(outcome(compiled["portable"], [[None] * (MAX_ELEMENTS // 2 - 1)] * 2)) is bytes


@PROFILES
def test_a_value_that_holds_itself_is_refused(compiled: Writers, profile: str) -> None:
    loop: list[Any] = []
    loop.append(loop)
    ring: dict[str, Any] = {}
    ring["a"] = [1, ring]
    bush: list[Any] = [1] * 10
    for _ in range(30):
        bush = [bush] * 10
    assert [outcome(compiled[profile], value) for value in (loop, ring, bush)] == [NotWritable, NotWritable, TooMuch]


@PROFILES
def test_a_binary_that_no_header_can_tell_the_length_of_is_refused(writer: str, profile: Any) -> None:
    try:
        huge = bytes(2**32)  # no memory of it is touched
    except MemoryError:
        pytest.skip("the machine doesn't give an address range of 4 GiB")
    with pytest.raises(EncodeError, match="none of 4 GiB or more"):
        etf.encode(["a", huge], profile)


@PROFILES
def test_long_text_is_not_left_with_a_copy_of_its_bytes(compiled: Writers, profile: str) -> None:
    text = "é" * 10_000
    before = sys.getsizeof(text)
    compiled[profile](text)
    assert sys.getsizeof(text) == before


@PROFILES
def test_no_code_runs_while_a_value_is_walked(compiled: Writers, profile: str) -> None:
    victim = [2**100 + number for number in range(5_000)]
    expected = PYTHON[profile](victim)

    class Vandal:
        def __del__(self) -> None:
            victim.clear()

    before = gc.get_threshold()
    gc.disable()
    try:
        vandal: Any = Vandal()
        vandal.itself = vandal
        del vandal
        gc.set_threshold(1)
        write = compiled[profile]
        gc.enable()
        assert write(victim) == expected
    finally:
        gc.set_threshold(*before)
        gc.enable()
    gc.collect()
    assert victim == []


@PROFILES
def test_a_dict_that_other_threads_change_is_written_as_it_was_at_one_moment(compiled: Writers, profile: str) -> None:
    shared: dict[str, Any] = {str(number): [number] for number in range(100)}
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            shared[f"new {number % 300}"] = {"a": 2**80}
            shared.pop(f"new {(number + 150) % 300}", None)
            number += 1

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(1_000):
            assert len(etf.decode(compiled[profile](shared))) >= 100
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_nothing_is_kept_of_what_is_written_or_refused(compiled: Writers) -> None:
    deep: Any = "é" * 3_000
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    marker = object()
    values: list[Any] = [
        {"text": "a", "number": 1.5, "wide": -(2**100), "flags": [None, True, b"x" * 300], "pair": (1, Atom("é"))},
        ["é" * 2_000, [2**70] * 300], [b"x" * 10_000, marker], ["é" * 5_000, "\ud800" * 2_000], deep,
        {Atom("a"): 1, "b": 2}, {b"k": [math.nan]}, [2 ** (MAX_BITS + 1)],
    ]  # fmt: skip

    def encode_all(rounds: int) -> None:
        for _ in range(rounds):
            for value in values:
                outcome(compiled["portable"], value)
                outcome(compiled["native"], value)

    watched = (marker, NotWritable, Atom, values[0], values[2], None)
    encode_all(100)
    gc.collect()
    tracemalloc.start()  # it sees the writer's own memory too, which comes from PyMem_Realloc
    try:
        counts, before = [sys.getrefcount(item) for item in watched], tracemalloc.get_traced_memory()[0]
        encode_all(100_000 // 2 // len(values))
        grown = tracemalloc.get_traced_memory()[0] - before
        assert [sys.getrefcount(item) for item in watched] == counts
        assert grown < 50_000
        assert tracemalloc.get_traced_memory()[1] > 10_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("variable", "accelerated"), [("1", "False"), ("0", None), ("", None)])
def test_the_environment_chooses_pure_python(variable: str, accelerated: str | None) -> None:
    script = "from bridge.codecs import etf; print(etf.ACCELERATED, etf.encode({'a': [1, 2.5]}).hex())"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "BRIDGE_PURE": variable},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    if accelerated is not None:
        assert answer[0] == accelerated
    elif "BRIDGE_PURE" not in os.environ:
        assert answer[0] == str(etf.ACCELERATED)
    assert answer[1] == PYTHON["portable"]({"a": [1, 2.5]}).hex()
