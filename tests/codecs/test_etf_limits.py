"""Attacks on the decoder: each ends in one exception with the place and the reason, in bounded time and memory."""

import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bridge.codecs import etf
from bridge.codecs.etf import Limits
from bridge.errors import DecodeError

HASH_MODULUS = 2**61 - 1  # integers that differ by multiples of it share a hash
UNLIMITED = Limits(size=2**40, inflated=2**40, depth=2**40, elements=2**40)


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def bomb(size: int, claimed: int | None = None) -> bytes:
    content = b"m" + u32(size) + bytes(size)
    return b"\x83P" + u32(len(content) if claimed is None else claimed) + zlib.compress(content, 9)


def compressed(content: bytes) -> bytes:
    return b"\x83P" + u32(len(content)) + zlib.compress(content)


def same_hash(count: int, before: bytes = b"", after: bytes = b"") -> bytes:
    keys = (before + b"n\x0a\x00" + (number * HASH_MODULUS).to_bytes(10, "little") + after for number in range(count))
    return b"\x83t" + u32(count) + b"".join(key + b"a\x01" for key in keys)


@contextmanager
def bounded(seconds: float, megabytes: float) -> Iterator[None]:
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        assert time.process_time() - started < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        pytest.param(bomb(50_000_000), "holds 50,000,005 bytes, the limit is", 2, id="bomb"),
        pytest.param(bomb(50_000_000, 100), "doesn't hold the 100 bytes that it says", 2, id="bomb that lies"),
        pytest.param(bomb(10, 1_000), "doesn't hold the 1,000 bytes that it says", 2, id="less than said"),
        pytest.param(b"\x83P" + u32(10) + b"junk", "damaged", 6, id="no zlib"),
        pytest.param(bomb(1_000)[:-2], "doesn't hold", 2, id="zlib cut short"),
        pytest.param(bomb(10) + b"xyz", "3 bytes follow the compressed term", len(bomb(10)), id="after zlib"),
        pytest.param(compressed(b"m\0\0"), "in the inflated term, the term is truncated", 3, id="inner"),
        pytest.param(compressed(compressed(b"j")[1:]), "80 is no tag of a term", 0, id="bomb in bomb"),
        pytest.param(b"\x83" + b"l\0\0\0\1" * 200_000, "more than 256 levels", 1286, id="deep lists"),
        pytest.param(b"\x83" + b"h\1" * 200_000, "more than 256 levels", 515, id="deep tuples"),
        pytest.param(b"\x83" + b"t\0\0\0\1a\1" * 200_000, "more than 256 levels", 1798, id="deep maps"),
        pytest.param(b"\x83" + b"t\0\0\0\1" * 200_000, "more than 256 levels", 1286, id="deep keys"),
        pytest.param(b"\x83" + b"l\0\0\0\1a\1" * 200_000, "more than 256 levels", 1798, id="deep tails"),
        pytest.param(b"\x83" + b"l\0\0\0\0" * 200_000, "more than 256 levels", 1286, id="deep empty lists"),
        *(
            pytest.param(b"\x83" + tag + u32(2**32 - 1), "truncated", 6, id=f"length of 2^32 after {tag!r}")
            for tag in (b"l", b"m", b"t", b"i", b"o")
        ),
        pytest.param(b"\x83M" + u32(2**32 - 1) + b"\x07", "truncated", 7, id="length of 2^32 after bits"),
        pytest.param(b"\x83p" + u32(2**32 - 1) + bytes(60), "4,000,000 values", 2, id="length of 2^32 after fun"),
        pytest.param(b"\x83l" + u32(10**6), "truncated", 6, id="list of nothing"),
        pytest.param(b"\x83l" + u32(4_000_001) + b"j" * 4_000_002, "more than 4,000,000 values", 6, id="many values"),
        pytest.param(b"\x83l" + u32(99) + (b"k\xff\xff" + bytes(65_535)) * 99, "4,000,000", None, id="byte lists"),
        pytest.param(b"\x83m" + u32(5) + b"abc", "truncated", 9, id="truncated binary"),
        pytest.param(b"\x83k\x00\x05abc", "truncated", 7, id="truncated bytes"),
        pytest.param(b"\x83b\x00\x00", "truncated", 4, id="truncated integer"),
        pytest.param(b"\x83F\x00", "truncated", 3, id="truncated float"),
        pytest.param(b"\x83w\x05ok", "truncated", 5, id="truncated atom"),
        pytest.param(b"\x83h\x02a\x01", "truncated", 5, id="truncated tuple"),
        pytest.param(b"\x83l\x00\x00\x00\x01a\x01", "truncated", 8, id="list without tail"),
        pytest.param(b"", "truncated", 0, id="nothing"),
        pytest.param(b"\x83", "truncated", 1, id="a version"),
        pytest.param(b"\x83P\x00", "truncated", 3, id="truncated compression"),
        pytest.param(b"\x82a\x01", "begins with byte 131, not 130", 0, id="other version"),
        pytest.param(b"\x83a\x01x", "1 bytes follow the term", 3, id="trailing byte"),
        pytest.param(b"\x83t\0\0\0\2a\1a\1a\1a\1", "a key twice", 2, id="duplicate key"),
        pytest.param(b"\x83t\0\0\0\2a\1a\1b\0\0\0\1a\1", "a key twice", 2, id="one key in two encodings"),
        pytest.param(b"\x83t\0\0\0\2s\2oka\1w\2oka\1", "a key twice", 2, id="one atom in two encodings"),
        pytest.param(b"\x83t\0\0\0\2k\0\1\1a\1l\0\0\0\1a\1ja\1", "a key twice", 2, id="one list in two encodings"),
        pytest.param(b"\x83F" + struct.pack(">d", float("nan")), "must be finite, not nan", 2, id="NaN"),
        pytest.param(b"\x83F" + struct.pack(">d", float("-inf")), "must be finite, not -inf", 2, id="infinity"),
        pytest.param(b"\x83c" + b"nan".ljust(31, b"\0"), "text is malformed", 2, id="NaN as text"),
        pytest.param(b"\x83c" + b"1_0.0".ljust(31, b"\0"), "text is malformed", 2, id="Python's own digits"),
        pytest.param(b"\x83c" + b"1.0e999".ljust(31, b"\0"), "must be finite, not inf", 2, id="infinity as text"),
        pytest.param(b"\x83w\x01\xff", "not UTF-8", 3, id="atom of junk"),
        pytest.param(b"\x83v\x01\x00" + b"a" * 256, "at most 255 characters, not 256", 4, id="long atom"),
        pytest.param(b"\x83n\x01\x02\x01", "sign is 0 or 1, not 2", 3, id="sign"),
        pytest.param(b"\x83M\x00\x00\x00\x01\x00a", "can't have 0 bits", 2, id="no bits"),
        pytest.param(b"\x83M\x00\x00\x00\x01\x09a", "can't have 9 bits", 2, id="nine bits"),
        pytest.param(b"\x83M\x00\x00\x00\x00\x03", "of 0 bytes can't have 3 bits", 2, id="bits of nothing"),
        pytest.param(b"\x83R\x00", "82 is no tag of a term", 1, id="atom cache"),
        pytest.param(b"\x83\x00", "0 is no tag of a term", 1, id="no tag"),
        pytest.param(b"\x83h\x01y", "121 is no tag of a term", 3, id="local term inside"),
        pytest.param(b"\x83Xa\x01" + bytes(12), "expected an atom, not tag 97", 2, id="pid of no node"),
        pytest.param(b"\x83Z\x00\x06w\x01a" + bytes(28), "1 to 5 words, not 6", 2, id="long reference"),
        pytest.param(b"\x83qw\x01mw\x01fb\x00\x00\x00\x01", "expected a function's arity", 8, id="arity"),
        pytest.param(b"\x83p" + u32(99) + bytes(25) + b"w\1ma\1a\1a\1" + bytes(70), "a fun of 99 bytes", 40, id="fun"),
        pytest.param(same_hash(50_000), "50,000 keys of a map have the same hash", 2, id="equal hashes"),
        pytest.param(same_hash(50_000, b"h\1"), "50,000 keys of a map have the same hash", 2, id="and of tuples"),
    ],
)  # fmt: skip
def test_an_attack_ends_in_an_error_that_says_where_and_why(data: bytes, reason: str, offset: int | None) -> None:
    with bounded(seconds=5, megabytes=60), pytest.raises(DecodeError) as caught:
        etf.decode(data)
    assert reason in caught.value.reason
    if offset is not None:
        assert caught.value.offset == offset


def test_a_size_over_the_limit_is_not_even_looked_at() -> None:
    with pytest.raises(DecodeError, match=r"has 101 bytes, the limit is 100"):
        etf.decode(bytes(101), limits=Limits(size=100))


def test_closures_in_closures_are_not_copied_without_end() -> None:
    data = b"m" + u32(1_000_000) + bytes(1_000_000)
    for _ in range(200):
        body = b"\1" + bytes(20) + u32(1) + b"w\1ma\1a\1Xw\1n" + bytes(12) + data
        data = b"p" + u32(len(body) + 4) + body
    with bounded(seconds=10, megabytes=10), pytest.raises(DecodeError, match="more than 4,000,000 values"):
        etf.decode(b"\x83" + data)


def test_long_keys_are_not_compared_without_end() -> None:
    data = b"m" + u32(1_000_000) + bytes(1_000_000)
    for _ in range(100):
        data = b"t\0\0\0\2l\0\0\0\1" + data + b"ja\1ja\1"
    with bounded(seconds=10, megabytes=30), pytest.raises(DecodeError, match="more than 4,000,000 values"):
        etf.decode(b"\x83" + data)


def test_unhashable_keys_of_one_hash_take_no_longer_than_others() -> None:
    with bounded(seconds=10, megabytes=30):
        assert len(etf.decode(same_hash(30_000, b"l\0\0\0\1", b"j"))) == 30_000


def test_a_large_coefficient_stays_an_integer() -> None:
    name = b"w\x0a__struct__w\x0eElixir.Decimalw\x04signa\x01w\x03expa\x00w\x04coef"
    with bounded(seconds=10, megabytes=10):
        value = etf.decode(b"\x83t" + u32(4) + name + b"o" + u32(500_000) + b"\x00" + b"\xff" * 500_000)
    assert value.fields["coef"] == 2**4_000_000 - 1


def test_without_a_depth_limit_the_stack_is_the_limit() -> None:
    with pytest.raises(DecodeError, match="deeper than the stack has room for"):
        etf.decode(b"\x83" + b"h\1" * 200_000 + b"j", limits=UNLIMITED)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(depth=2), "more than 2 levels"),
        (Limits(elements=4), "more than 4 values"),
        (Limits(size=10), "the limit is 10"),
    ],
)
def test_each_limit_can_be_set(limits: Limits, reason: str) -> None:
    data = etf.encode([[[1, 2, 3]]])
    assert etf.decode(data) == [[[1, 2, 3]]]
    with pytest.raises(DecodeError, match=reason):
        etf.decode(data, limits=limits)


def test_the_limit_on_inflated_bytes_can_be_set() -> None:
    assert etf.decode(bomb(1_000)) == "\0" * 1_000
    with pytest.raises(DecodeError, match="the limit is 1,004"):
        etf.decode(bomb(1_000), limits=Limits(inflated=1_004))
    assert len(etf.decode(bomb(40_000_000), limits=Limits(inflated=2**26))) == 40_000_000


@pytest.mark.parametrize("data", ["text", 7, None, [1]])
def test_only_bytes_are_a_term(data: Any) -> None:
    with pytest.raises(DecodeError, match="a term is bytes"):
        etf.decode(data)
