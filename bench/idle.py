"""What a node costs that has nothing to do: statements a minute and resident memory.

Run it with `python bench/idle.py`. It starts a PostgreSQL of its own, a node that leads, and then two that follow, each
a process with five queues and a worker: one is a program that starts an instance, the other is `bridge start`. The
statements are counted in the server's log, the memory is what Linux tells of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from waiting import QUEUES

from bridge import Oban
from bridge.postgres import Server, temporary_server

SETTINGS = {"log_statement": "all", "log_line_prefix": "%a|"}
FIRST, PROGRAM, COMMAND = "leader", "program", "bridge-start"
_SHOWN = 100  # characters of a statement
_STATEMENT = re.compile(r"^([^|\n]*)\|LOG: +(?:statement|execute [^:]*): *(.*(?:\n\t.*)*)", re.MULTILINE)


def measure(server: Server, options: argparse.Namespace) -> None:
    """Let the nodes wait, and print what those that follow cost."""
    print(f"{len(QUEUES)} queues, {options.seconds:.0f} s; Python {sys.version.split()[0]}")
    with ExitStack() as stack:
        running = {}
        for name in (FIRST, PROGRAM, COMMAND):
            running[name] = stack.enter_context(node(server, name))
            wait_for(server, name)
        time.sleep(options.settle)
        before = statements(server)
        time.sleep(options.seconds)
        asked = statements(server)
        asked.subtract(before)
        check_leader(server)
        for name in (PROGRAM, COMMAND):
            own = +Counter({statement: count for (node, statement), count in asked.items() if node == name})
            minute = own.total() * 60 / options.seconds
            print(f"{name:12}  {minute:5.1f} statements a minute  {resident(running[name]) / 2**20:5.1f} MiB")
            if options.show:
                print(
                    "".join(
                        f"{count:10} x  {' '.join(statement.split())[:_SHOWN]}\n"
                        for statement, count in own.most_common()
                    ),
                    end="",
                )


@contextmanager
def node(server: Server, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node whose name is that of its sessions too, and end it with the block."""
    dsn = address(server, name)
    if name == COMMAND:
        given = [f"{queue}:{limit}" for queue, limit in QUEUES.items()]
        started = ["-m", "bridge", "start", "--dsn", dsn, "--node", name, "--queues", ",".join(given)]
        started += ["--import", "waiting", "--log-level", "error"]
    else:
        started = ["waiting.py", dsn, name]
    process = subprocess.Popen([sys.executable, *started], cwd=Path(__file__).parent)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def address(server: Server, name: str) -> str:
    """Return the DSN by which most nodes connect: over TCP."""
    return urlsplit(server.url("postgres", tcp=True))._replace(query=f"application_name={name}").geturl()


def wait_for(server: Server, name: str) -> None:
    """Wait until a node has said something to the server of which only a started one speaks."""
    deadline = time.monotonic() + 30
    while not any(node == name and "bridge_producers" in statement for node, statement in statements(server)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected the node {name!r} to start, and it said nothing for 30 s")
        time.sleep(0.1)


def statements(server: Server) -> Counter[tuple[str, str]]:
    """Return how often each node has sent each statement; lines after the first begin with a tab in the log."""
    log = (server.data_dir / "log" / "server.log").read_text(errors="replace")
    return Counter((found[1], found[2]) for found in _STATEMENT.finditer(log))


def check_leader(server: Server) -> None:
    """Refuse to tell of nodes of which one leads."""
    leaders = asyncio.run(find_leaders(server.url("postgres")))
    if leaders != [FIRST]:
        raise RuntimeError(f"expected the node {FIRST!r} to lead, and it was {leaders}; run it again")


async def find_leaders(dsn: str) -> list[str]:
    """Return who has a lease."""
    connection = await asyncpg.connect(dsn)
    try:
        return [row["node"] for row in await connection.fetch("select node from oban_peers")]
    finally:
        await connection.close()


def resident(process: subprocess.Popen[bytes]) -> int:
    """Return a process's resident memory in bytes, with the libraries that it shares with others."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--settle", type=float, default=5, help="seconds that are not counted, after the last start")
    parser.add_argument("--show", action="store_true", help="print the statements, too")
    options = parser.parse_args()
    with temporary_server(port=0, settings=SETTINGS) as server:
        asyncio.run(Oban(dsn=server.url("postgres")).install())
        measure(server, options)


if __name__ == "__main__":
    main()
