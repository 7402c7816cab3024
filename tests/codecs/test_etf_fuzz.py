"""A short run of the fuzzer, which the long one is a command for; and what the fuzzer would not let pass."""

import random
from typing import Any

import etf_fuzzer
import pytest

from bridge.codecs import etf
from bridge.errors import DecodeError


def test_mutated_terms_decode_or_are_refused_soon_and_in_little_memory() -> None:
    seed = random.randrange(2**32)
    figures = etf_fuzzer.run(30_000, seed)
    assert figures["grown_mb"] <= etf_fuzzer.ROOM, (seed, figures)
    assert 500 < figures["terms"] < 25_000, (seed, figures)


def idle(_: Any, **__: Any) -> None:
    """A decoder that takes some 60 ms of CPU time."""
    sum(range(6_000_000))
    raise DecodeError("nothing")


def stuck(_: Any, **__: Any) -> None:
    while True:
        pass


def greedy(_: Any, **__: Any) -> None:
    """A decoder that uses memory, which is free again when it is done."""
    bytes(range(256)) * (etf_fuzzer.ROOM * 2**12 + 2**17)
    raise DecodeError("nothing")


def boastful(_: Any, **__: Any) -> None:
    """A decoder that asks for memory and doesn't use it."""
    bytes(2**30)
    raise DecodeError("nothing")


def crashing(_: Any, **__: Any) -> None:
    raise IndexError


@pytest.mark.parametrize(
    ("decoder", "error"),
    [
        (idle, TimeoutError),
        (stuck, TimeoutError),
        (greedy, MemoryError),
        (boastful, MemoryError),
        (crashing, IndexError),
    ],
)
def test_a_decoder_that_hangs_fills_memory_or_crashes_is_caught_at_that_input(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], decoder: Any, error: type[BaseException]
) -> None:
    monkeypatch.setattr(etf, "decode", decoder)
    if error is MemoryError:  # to fill it takes time, on some machines more than an input may
        monkeypatch.setattr(etf_fuzzer, "LONGEST", 60.0)
    with pytest.raises(error):
        etf_fuzzer.run(1, 0)
    assert capfd.readouterr().err.startswith("input: ")
