"""A mutation loop over real terms: nothing but a value or a DecodeError may come out, soon and in little memory.

Every input is held to both bounds: `LONGEST` of CPU time, and `ROOM` of memory above what the process had before.

python tests/codecs/etf_fuzzer.py --inputs 10000000 --seed 1
"""

import argparse
import base64
import json
import random
import resource
import signal
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import codec_terms

from bridge.codecs import etf
from bridge.errors import DecodeError, EncodeError

LONGEST = 0.05  # seconds of CPU for one input
STUCK = 2.0  # seconds of CPU after which one input is given up
ROOM = 48  # megabytes that may be in use above what the process began with
ASKED = 256  # megabytes that one allocation may ask for, used or not
GOLDEN = Path(__file__).parent / "golden" / "terms.json"
TAGS = bytes([70, 77, 80, 88, 89, 90, *range(97, 122), 131])
BYTES = bytes([0, 1, 2, 8, 9, 127, 128, 254, 255]) + TAGS
LENGTHS = [0, 1, 2, 255, 256, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
LIMITS = etf.Limits(size=1 << 20, inflated=1 << 20, elements=20_000)


def corpus() -> list[bytes]:
    """The terms of a real node, and some of ours."""
    samples = json.loads(GOLDEN.read_text())["samples"]
    real = [base64.b64decode(sample[form]) for sample in samples for form in ("default", "minor2") if sample[form]]
    rng = random.Random(0)
    ours = [etf.encode(codec_terms.random_value(rng), "native") for _ in range(200)]
    return [term for term in real + ours if len(term) < 1_000]


def flip(rng: random.Random, data: bytearray, _: bytes) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, data: bytearray, _: bytes) -> None:
    data[rng.randrange(len(data))] = rng.choice(BYTES)


def insert(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = bytes([rng.choice(BYTES)])


def set_length(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data))
    data[at : at + 4] = struct.pack(">I", rng.choice(LENGTHS))


def remove(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 9)]


def cut(rng: random.Random, data: bytearray, _: bytes) -> None:
    del data[rng.randrange(len(data)) :]


def repeat(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randrange(1, 20)] * rng.choice((1, 2, 300))


def splice(rng: random.Random, data: bytearray, other: bytes) -> None:
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


def nest(rng: random.Random, data: bytearray, other: bytes) -> None:
    at = rng.randrange(len(data))
    data[at : at + rng.randrange(3)] = other[1:]


def compress(_: random.Random, data: bytearray, __: bytes) -> None:
    content = bytes(data[1:])
    data[:] = b"\x83P" + struct.pack(">I", len(content)) + zlib.compress(content, 1)


MUTATIONS: tuple[Callable[[random.Random, bytearray, bytes], None], ...] = (
    flip, overwrite, overwrite, insert, set_length, remove, cut, repeat, splice, nest, nest,
)  # fmt: skip


def mutate(rng: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        rng.choice(MUTATIONS)(rng, data, rng.choice(seeds))
        if not data:
            return b""
    if rng.random() < 0.02:
        compress(rng, data, b"")
    return bytes(data)


def judge(data: bytes) -> bool:
    """Decode, and encode again what was decoded; return whether it was a term."""
    try:
        value = etf.decode(data, limits=LIMITS)
    except DecodeError:
        return False
    try:
        again = etf.encode(value, "native")
    except EncodeError as error:
        # What only a BEAM can check, such as an integer wider than it holds.
        if "bits" not in error.expected:
            raise
        return True
    etf.decode(again)
    judge_portable(value)
    return True


def judge_portable(value: Any) -> None:
    """Encode for any reader what can be; it is not more than what came in."""
    try:
        data = etf.encode(value)
    except EncodeError:
        return
    etf.decode(data)


class Meter:
    """Judges inputs one by one, and raises at the first that takes too long or too much memory."""

    def __init__(self) -> None:
        self.terms = 0
        self.slowest = 0.0
        self.began: float | None = None
        Path("/proc/self/clear_refs").write_text("5")  # what was the peak before doesn't count
        self.before = _peak_memory()

    @property
    def grown(self) -> float:
        """Megabytes of memory above what the process began with, at the worst moment so far."""
        return (_peak_memory() - self.before) / 1024

    def take(self, data: bytes) -> None:
        """Judge one input.

        Raises:
            TimeoutError: It took longer than `LONGEST`, again and again, or didn't come to an end.
            MemoryError: It asked for more than `ASKED`, or used more than `ROOM`.
        """
        self.began = began = time.process_time()
        self.terms += judge(data)
        taken = time.process_time() - began
        self.began = None
        if taken > self.slowest:
            # What else the machine does can't make an input fast, so the best of four counts.
            self.slowest = min(taken, *(seconds_for(data) for _ in range(3))) if taken > LONGEST else taken
            if self.slowest > LONGEST:
                raise TimeoutError(f"{self.slowest} s for one input")
        if self.grown > ROOM:
            raise MemoryError(f"{self.grown} MB more than at the start")

    def give_up(self, *_: object) -> None:
        """Interrupt an input that is stuck; called every second of CPU time."""
        if self.began is not None and time.process_time() - self.began > STUCK:
            raise TimeoutError(f"still at one input after {STUCK} s")


def seconds_for(data: bytes) -> float:
    started = time.process_time()
    judge(data)
    return time.process_time() - started


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def watched(meter: Meter) -> Iterator[None]:
    """Bound the address space, so that a huge allocation fails, and look now and then for an input that is stuck."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    handler = signal.signal(signal.SIGPROF, meter.give_up)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ASKED * 2**20, hard))
    signal.setitimer(signal.ITIMER_PROF, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, handler)


def run(inputs: int, seed: int) -> dict[str, float]:
    """Judge so many inputs; raise at the first that crashes, hangs or fills the memory, and print it."""
    rng, seeds = random.Random(seed), corpus()
    meter, started = Meter(), time.perf_counter()
    with watched(meter):
        for _ in range(inputs):
            data = mutate(rng, seeds)
            try:
                meter.take(data)
            except BaseException:
                print("input:", base64.b64encode(data).decode(), file=sys.stderr)
                raise
    return {
        "inputs": inputs,
        "terms": meter.terms,
        "slowest_ms": round(meter.slowest * 1000, 2),
        "grown_mb": round(meter.grown, 1),
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    print(run(options.inputs, options.seed))
