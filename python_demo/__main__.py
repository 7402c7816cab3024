"""The command line of the demo: `python -m python_demo --jobs 20`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import asyncpg

from bridge.errors import BridgeError

from .run import Options, run

_MOST = 1_000_000
_INTERRUPTED = 130  # 128 + SIGINT, as shells tell it


def main() -> int:
    """Run the demo; return the exit status: 0 if every job completed, 1 if not, 2 for a wrong argument."""
    options = _parse()
    try:
        return 0 if asyncio.run(run(options)) else 1
    except KeyboardInterrupt:
        print("Stopped. What was not done is in the table, and the next run takes it along.", file=sys.stderr)
        return _INTERRUPTED
    except (BridgeError, OSError, asyncpg.PostgresError) as error:
        print(f"The demo can't run: {error}", file=sys.stderr)
        return 1


def _parse() -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m python_demo",
        description="Badge Forge: Elixir enqueues badges, Python renders them, Elixir prints them.",
    )
    parser.add_argument("--jobs", type=_count, default=20, metavar="N", help="how many badges (default: 20)")
    parser.add_argument("--dsn", help="a PostgreSQL server (default: DATABASE_URL, else the embedded one)")
    parser.add_argument(
        "--out", type=Path, default=Path("badges"), metavar="FOLDER", help="for the PDFs (default: badges)"
    )
    parser.add_argument(
        "--no-render", dest="render", action="store_false", help="make no PDFs: measure the runtime alone"
    )
    parser.add_argument(
        "--limit", type=_count, default=10, metavar="N", help="jobs at a time, each queue (default: 10)"
    )
    parser.add_argument(
        "--patience",
        type=_count,
        default=60,
        metavar="S",
        help="give up when nothing moves for so long (default: 60 s)",
    )
    parser.add_argument("--quiet", action="store_true", help="leave out the job log")
    parser.add_argument("--log", action="store_true", help="show all of it in a terminal too, not only what failed")
    return Options(**vars(parser.parse_args()))


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {_MOST:,}, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
