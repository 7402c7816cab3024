"""A short run of the fuzzer; the long one is a command of its own."""

import random

import etf_fuzzer


def test_mutated_terms_decode_or_are_refused_soon_and_in_little_memory() -> None:
    seed = random.randrange(2**32)
    figures = etf_fuzzer.run(30_000, seed)
    assert figures["grown_mb"] < 100, (seed, figures)
    assert 500 < figures["terms"] < 25_000, (seed, figures)
