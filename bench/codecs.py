"""How fast Erlang terms are encoded and decoded, beside erlpack and msgspec's JSON.

Usage: python bench/codecs.py [--rounds 25]. erlpack is an extra: pip install 'oban-bridge[bench]'.

All codecs take turns in one process, round by round, so that a slow moment of the machine hits each. A megabyte is one
of the Erlang term for every codec, JSON's too, so figures of a line compare.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from bridge.codecs import etf
from bridge.codecs.etf.writers import PYTHON

BADGE: Final = {
    "id": 1_234_567, "name": "José Álvarez", "email": "jose@example.com", "company": "Example GmbH",
    "tags": ["speaker", "vip"], "paid": True, "price": 149.5, "printed_at": None, "seat": 12,
}  # fmt: skip
VALUES: Final = {"200 B": BADGE, "20 kB": {"badges": [{**BADGE, "id": 1_234_567 + number} for number in range(99)]}}
SECONDS: Final = 0.02
"""How long one codec's turn takes, about."""

Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    console, codecs = Console(), find_codecs()
    console.print(describe_machine(), highlight=False, soft_wrap=True)
    if "erlpack" not in codecs:
        console.print("erlpack isn't installed (it needs a C compiler): pip install 'oban-bridge\\[bench]'")
    if not etf.ACCELERATED:
        console.print("The compiled writer isn't used: it wasn't built, or BRIDGE_PURE is set.")
    table = Table(title=f"MB/s, median of {rounds} rounds (slowest to fastest)", box=box.SIMPLE)
    for column in ("what", "codec", "MB/s", "range", "µs", "x erlpack"):
        table.add_column(column, justify="left" if column in {"what", "codec"} else "right")
    for size, value in VALUES.items():
        for verb, tasks in (("encode", encoders(codecs, value)), ("decode", decoders(codecs, value))):
            add_rows(table, f"{verb} {size}", measure(tasks, rounds), len(etf.encode(value)))
    console.print(table)


def find_codecs() -> dict[str, Codec]:
    """Return each codec's two functions."""
    codecs: dict[str, Codec] = {"bridge": (etf.encode, etf.decode)}
    if etf.ACCELERATED:
        codecs["bridge in Python"] = (PYTHON["portable"], etf.decode)
    try:
        erlpack = importlib.import_module("erlpack")
    except ImportError:
        pass
    else:
        codecs["erlpack"] = (erlpack.pack, erlpack.unpack)
    codecs["msgspec (JSON)"] = (msgspec.json.encode, msgspec.json.decode)
    return codecs


def encoders(codecs: dict[str, Codec], value: Any) -> dict[str, Callable[[], Any]]:
    """Return what encodes the value, by codec."""
    return {name: partial(encode, value) for name, (encode, _) in codecs.items()}


def decoders(codecs: dict[str, Codec], value: Any) -> dict[str, Callable[[], Any]]:
    """Return what decodes each codec's own bytes; the two writers of ours have one decoder."""
    distinct = {decode: (name, encode(value)) for name, (encode, decode) in reversed(codecs.items())}
    return {name: partial(decode, data) for decode, (name, data) in reversed(distinct.items())}


def measure(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds a call of each task, one figure a round."""
    calls = {name: max(1, round(SECONDS / min(seconds_for(task, 3) for _ in range(9)))) for name, task in tasks.items()}
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            taken[name].append(seconds_for(task, calls[name]))
    return taken


def seconds_for(task: Callable[[], Any], calls: int) -> float:
    """Return the seconds that one of so many calls takes."""
    started = time.perf_counter()
    for _ in range(calls):
        task()
    return (time.perf_counter() - started) / calls


def add_rows(table: Table, what: str, taken: dict[str, list[float]], size: int) -> None:
    """Add a section: a line for each codec."""
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    for name, seconds in taken.items():
        slowest, median, fastest = (size / each / 1e6 for each in (max(seconds), medians[name], min(seconds)))
        ratio = f"{medians['erlpack'] / medians[name]:.2f}" if "erlpack" in medians else "-"
        span = f"{slowest:,.0f} - {fastest:,.0f}"
        table.add_row(what, name, f"{median:,.0f}", span, f"{medians[name] * 1e6:,.2f}", ratio)
        what = ""
    table.add_section()


def describe_machine() -> str:
    """Return the machine and the versions of what is measured."""
    packages = []
    for name in ("oban-bridge", "erlpack", "msgspec"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}; {python}, {', '.join(packages)}"


def processor() -> str:
    """Return the processor's name; the platform module knows it on some systems only."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
