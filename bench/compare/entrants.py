"""Who takes part: the peers, Bridge, and the two points of reference."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from environments import ROOT, find_python, interpreter

_OURS: Final = ("--editable", f"{ROOT}[embedded,uvloop]")


@dataclass(frozen=True, slots=True)
class Entrant:
    """One that is measured.

    Attributes:
        key: Its short name, for the command line and the raw results.
        title: Its name in the tables.
        script: Its driver in `peers/`.
        environment: The environment's name.
        requirements: What pip installs there.
        share: The part of a case's jobs that it is given, where it would take many minutes for all; its rates don't
            depend on their number.
        options: Given to its worker.
        only: The cases that it takes part in; all if empty.
        without: Cases that it can't take part in.
    """

    key: str
    title: str
    script: str
    environment: str
    requirements: tuple[str, ...]
    share: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()
    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


_REFERENCE: Final = frozenset({"drain-10", "drain-50", "drain-200", "drain-1000", "insert"})
#: Procrastinate stays out of these for time: at its rate each takes minutes.
_GROWTH: Final = frozenset({"finished", "waiting", "stale", "stale-seen", "workers-2", "workers-4"})
#: What they ask of is a feature or a promise of Bridge.
_OWN_CASES: Final = frozenset({"foreign", "foreign-indexed", "memory"})

ENTRANTS: Final = (
    Entrant("bridge", "Bridge", "bridge_peer.py", "bridge", _OURS),
    Entrant("oban-py", "oban-py", "oban_py.py", "oban", ("oban", "uvloop"), share=0.5, without=_OWN_CASES),
    Entrant(
        "elixir", "Oban for Elixir, Basic", "elixir_peer.py", "bridge", _OURS,
        share=0.5, without=_OWN_CASES,
    ),
    Entrant(
        "procrastinate", "procrastinate", "procrastinate_peer.py", "procrastinate",
        ("procrastinate", "psycopg[binary,pool]", "uvloop"), share=0.1, without=_OWN_CASES | _GROWTH,
    ),
    Entrant(
        "pgqueuer", "pgqueuer", "pgqueuer_peer.py", "pgqueuer", ("pgqueuer[asyncpg]", "uvloop"), without=_OWN_CASES
    ),
    Entrant(
        "pgqueuer-uncapped", "pgqueuer, no cap on tasks", "pgqueuer_peer.py", "pgqueuer",
        ("pgqueuer[asyncpg]", "uvloop"), options=(("capped", False),), only=frozenset({"drain-1000"}),
    ),
    Entrant(
        "chancy", "chancy", "chancy_peer.py", "chancy", ("chancy", "psycopg[binary,pool]", "uvloop"),
        share=0.4, without=_OWN_CASES,
    ),
    Entrant(
        "bare", "bare loop on asyncpg", "bare_loop.py", "bridge", _OURS,
        only=_REFERENCE | _GROWTH | {"sleep", "latency"},
    ),
    Entrant("sql", "SQL alone", "sql_alone.py", "bridge", _OURS, only=_REFERENCE - {"insert"}),
)  # fmt: skip


def choose(names: list[str]) -> dict[Entrant, Path]:
    """Return those that can take part, of those named or of all, with the interpreter of each; say who can't."""
    python, chosen = find_python(), {}
    for entrant in ENTRANTS:
        if names and entrant.key not in names:
            continue
        if entrant.key == "elixir" and (lack := _no_elixir()):
            print(f"{entrant.title} stays out: {lack}")
            continue
        try:
            chosen[entrant] = interpreter(entrant.environment, entrant.requirements, python)
        except subprocess.CalledProcessError as error:
            print(f"{entrant.title} stays out, because its environment can't be made: {error}")
    return chosen


def _no_elixir() -> str:
    """Return why no node of Elixir can be started by a runner that reaches the server as everyone else does."""
    runner = os.environ.get("BRIDGE_ELIXIR", "")
    if not runner and (mix := shutil.which("mix")):
        if subprocess.run([mix, "hex.info"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:  # noqa: S603 - as found
            return "mix has no Hex, by which the node's dependencies are had (mix local.hex)"
        runner = os.environ["BRIDGE_ELIXIR"] = f"mix:{ROOT / 'elixir_demo'}"
    if runner.startswith(("mix:", "release:")):
        return ""
    return "BRIDGE_ELIXIR names no node on this machine (mix:FOLDER or release:SCRIPT), and there is no `mix`"
