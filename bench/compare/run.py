"""Bridge beside its peers, on one server, in turns.

Usage: python bench/compare/run.py [--quick] [--rounds 3] [--cases drain-10,latency] [--peers bridge,oban-py].

In each round every case is taken by everyone before the next case, and each round begins with another entrant, so that
what the machine does otherwise hits all. The medians count.

A whole run (all entrants and cases, at full size, of three rounds or more) writes into docs/benchmarks. One of a part
writes into build/bench/part, and one with --quick into build/bench/quick, so that neither takes the place of a whole
one; --out names another folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cases import FULL, QUICK, QUICK_CASES, Case, Sizes, make_cases
from entrants import ENTRANTS, Entrant, choose
from environments import FOLDER, ROOT
from measure import Bench
from report import write
from server import open_server

_ROUNDS: Final = 3  # of a whole run


def main() -> None:
    """Measure, and write the report."""
    options = _arguments()
    wanted = options.cases or (QUICK_CASES if options.quick else ())
    cases = [case for case in make_cases(_sizes(options)) if not wanted or case.name in wanted]
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    out = options.out or _folder(options)
    interpreters = choose(options.peers)
    out.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open_server() as host:
        bench = Bench(host, interpreters, _fresh_logs())
        results = asyncio.run(measure(bench, cases, rounds, out, _setting(options, cases, interpreters)))
    failed = [each for each in results["measurements"] if "error" in each]
    for each in failed:
        sys.stderr.write(f"{each['case']}, {each['entrant']}: {each['error']}\n")
    print(write(results, out))
    sys.exit(1 if failed else 0)


async def measure(bench: Bench, cases: list[Case], rounds: int, out: Path, setting: dict[str, Any]) -> dict[str, Any]:
    """Take all measurements; what there is is kept after each, with what the run was asked for."""
    results: dict[str, Any] = {"machine": _machine(), "postgresql": await bench.host.version()}
    results |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rounds": rounds, **setting, "measurements": []}
    for number in range(rounds):
        for case in cases:
            for entrant in _in_turn(bench, case, number):
                found = await _one(bench, case, entrant)
                results["measurements"].append(
                    {"case": case.name, "entrant": entrant.key, "title": entrant.title, "round": number + 1, **found}
                )
                print(f"{number + 1} {case.name:11} {entrant.title:26} {_line(found)}", flush=True)
                results["versions"] = bench.versions
                (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    return results


def _folder(options: argparse.Namespace) -> Path:
    """Return where the report goes if nobody says: a run of a part must not take the place of a whole one."""
    if options.quick:
        return FOLDER / "quick"
    part = options.peers or options.cases or options.size or (options.rounds or _ROUNDS) < _ROUNDS
    return FOLDER / "part" if part else ROOT / "docs" / "benchmarks"


def _setting(options: argparse.Namespace, cases: list[Case], present: Iterable[Entrant]) -> dict[str, Any]:
    """Return what the run was asked for, and who could not take part."""
    sizes, keys = _sizes(options), {entrant.key for entrant in present}
    wanted = [entrant for entrant in ENTRANTS if not options.peers or entrant.key in options.peers]
    return {
        "arguments": sys.argv[1:],
        "sizes": {name: getattr(sizes, name) for name in Sizes.__slots__},
        "reduced": {name: full for name in Sizes.__slots__ if getattr(sizes, name) < (full := getattr(FULL, name))},
        "quick": options.quick,
        "once": [case.name for case in cases if case.once],
        "absent": [entrant.title for entrant in wanted if entrant.key not in keys],
    }


def _in_turn(bench: Bench, case: Case, number: int) -> list[Entrant]:
    """Return who takes this case in this round; each round begins with another one."""
    if case.once and number:
        return []
    admitted = [entrant for entrant in bench.interpreters if case.admits(entrant)]
    first = number % len(admitted) if admitted else 0
    return admitted[first:] + admitted[:first]


async def _one(bench: Bench, case: Case, entrant: Entrant) -> dict[str, Any]:
    try:
        return await case.measure(bench, entrant)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _line(found: dict[str, Any]) -> str:
    shown = {name: value for name, value in found.items() if isinstance(value, int | float | str)}
    return "  ".join(
        f"{name} {value:,.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items()
    )


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else FULL
    return Sizes(**{**{name: getattr(sizes, name) for name in Sizes.__slots__}, **options.size})


def _machine() -> dict[str, Any]:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(names, "") or platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0],
    }


def _fresh_logs() -> Path:
    folder = FOLDER / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.log"):
        old.unlink()
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four cases at a small size, one round, two minutes")
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--cases", type=_names, default=[], help="some cases, by commas")
    parser.add_argument("--peers", type=_names, default=[], help="some entrants, by commas")
    parser.add_argument("--size", type=_size, action="append", default=[], help="such as jobs=5000; may be given again")
    parser.add_argument("--out", type=Path, help="the folder of the report, where it isn't the one told above")
    options = parser.parse_args()
    options.size = dict(options.size)
    return options


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _size(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in Sizes.__slots__:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(Sizes.__slots__)}, and got {name!r}")
    return name, float(value) if name == "idle" else int(value)


if __name__ == "__main__":
    main()
