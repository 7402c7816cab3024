"""The project's own goals, and whether the run reached them."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from figures import Figures, ratios
from notation import MEBIBYTE, Form, bare_times, mebibytes, percent_tenths, spread, tenths, times, whole

OURS: Final = "bridge"
_OBAN_PY: Final = ("oban-py",)
_ELIXIR: Final = ("elixir",)
_PGQUEUER: Final = ("pgqueuer",)
_BARE: Final = ("bare",)
_PEERS: Final = ("oban-py", "elixir", "procrastinate", "pgqueuer", "chancy")
_MISSING: Final = "not measured"
_OPTIONAL: Final = frozenset(_ELIXIR)  # a node isn't at hand everywhere

_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    "≥": operator.ge,
    ">": operator.gt,
    "≤": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A goal.

    Attributes:
        what: What is measured.
        told: The goal in words.
        case: The case in which Bridge is measured.
        sign: How the figure has to compare with the bound.
        bound: The bound; of a ratio, if it is against somebody.
        form: Writes the figure.
        metric: The case's figure.
        against: Whom it is divided by: the best of these in the same round.
        base: The case of those; the same one if empty.
    """

    what: str
    told: str
    case: str
    sign: str
    bound: float
    form: Form
    metric: str = "rate"
    against: tuple[str, ...] = ()
    base: str = ""


def _beside(what: str, told: str, case: str, bound: float, against: tuple[str, ...]) -> Target:
    return Target(what, told, case, "≥", bound, times if bound > 1 else percent_tenths, against=against)


def _changed(what: str, case: str, bound: float) -> Target:
    told = f"≥ {bound:.0%} of the plain drain"
    return Target(what, told, case, "≥", bound, percent_tenths, against=(OURS,), base="drain-1000")


_DRAIN: Final = "drain at limit 1,000"
TARGETS: Final = (
    _beside(_DRAIN, "≥ 4× oban-py", "drain-1000", 4.0, _OBAN_PY),  # noqa: RUF001 - the sign for times
    _beside(_DRAIN, "≥ 4× Oban for Elixir, Basic", "drain-1000", 4.0, _ELIXIR),  # noqa: RUF001 - as above
    Target(_DRAIN, "> pgqueuer, the better of its rows", "drain-1000", ">", 1.0, times,
           against=("pgqueuer", "pgqueuer-uncapped")),
    _beside(_DRAIN, "≥ 70% of the bare loop", "drain-1000", 0.7, _BARE),
    _beside("drain at limit 10", "≥ 2.5× the best peer", "drain-10", 2.5, _PEERS),  # noqa: RUF001 - as above
    _beside("10 ms jobs at limit 100", "≥ 85% of the bare loop", "sleep", 0.85, _BARE),
    Target("worker CPU a job at limit 1,000, with telemetry", "≤ 30 µs", "drain-1000", "≤", 30, tenths, "worker_us"),
    Target("server CPU a job at limit 1,000", "≤ 50 µs", "drain-1000", "≤", 50, tenths, "server_us"),
    _beside("bulk insert", "≥ 6× oban-py", "insert", 6.0, _OBAN_PY),  # noqa: RUF001 - as above
    Target("bulk insert", "> pgqueuer", "insert", ">", 1.0, times, against=_PGQUEUER),
    Target("enqueue to start, p50", "< 3 ms", "latency", "<", 3, tenths, "p50_ms"),
    Target("enqueue to start, p99", "< 6 ms", "latency", "<", 6, tenths, "p99_ms"),
    Target("scheduled jobs, late by, p99", "≤ 1,100 ms", "scheduled", "≤", 1_100, whole, "p99_ms"),
    _changed("drain with the statistics of a bulk load", "stale", 0.9),
    _changed("drain with statistics of other jobs alone", "stale-seen", 0.9),
    _changed("drain among one million finished rows", "finished", 0.8),
    _changed("drain behind 100,000 foreign rows, without an index", "foreign", 0.5),
    _changed("drain behind 100,000 foreign rows, with the worker index", "foreign-indexed", 0.5),
    Target("statements a minute of an idle node", "≤ 70", "idle", "≤", 70, whole, "statements"),
    Target("memory of an idle node, MiB", "≤ 35", "idle", "≤", 35 * MEBIBYTE, mebibytes, "rss"),
    Target(
        "growth over a million jobs, after the first 100,000, MiB",
        "≤ 10", "memory", "≤", 10 * MEBIBYTE, mebibytes, "grown",
    ),
)  # fmt: skip


def render(found: Figures) -> str:
    """Return the table of targets; what wasn't measured is never met."""
    lines = ["| what | target | measured | |", "|---|---|---:|---|"]
    for target in TARGETS:
        values = _values(found, target)
        measured, verdict = _MISSING, ""
        if values:
            measured = spread(
                values, target.form, of=found.turns(target.case), rough=bare_times if target.form is times else None
            )
            verdict = "met" if is_met(target, values) else "**missed**"
            if min(values) < target.bound < max(values):
                verdict += ", within the spread"
        lines.append(f"| {target.what} | {target.told} | {measured} | {verdict} |")
    return "\n".join(lines)


def is_met(target: Target, values: list[float]) -> bool:
    """Return whether the median reaches the bound."""
    return _SIGNS[target.sign](statistics.median(values), target.bound)


def _values(found: Figures, target: Target) -> list[float]:
    ours = found.by_round(OURS, target.case, target.metric)
    if not target.against:
        return list(ours.values())
    return ratios(ours, _best(found, target))


def _best(found: Figures, target: Target) -> dict[int, float]:
    """Return the best of the others in each round in which all of them have a figure."""
    case = target.base or target.case
    wanted = [key for key in target.against if key not in _OPTIONAL or found.took(key, case)]
    each = [found.by_round(key, case, target.metric) for key in wanted]
    complete = set.intersection(*(set(rounds) for rounds in each)) if each else set()
    return {number: max(rounds[number] for rounds in each) for number in complete}
