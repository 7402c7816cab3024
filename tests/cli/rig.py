"""Commands as a person runs them: in this process, as a process of its own, and in a terminal."""

import asyncio
import os
import pty
import select
import subprocess
import sys
from contextlib import contextmanager

from typer.testing import CliRunner

from bridge.cli.main import app

#: Seconds for what takes one or two, on a machine that is slow, busy, and pauses now and then.
PATIENCE = 60


class Commands:
    """Runs commands on one database, in a folder of their own."""

    def __init__(self, dsn, folder):
        self.dsn, self.folder = dsn, folder

    async def run(self, *arguments, text=None, columns=200):
        """Run a command in this process; an error of ours is the result's `exception`."""
        runner = CliRunner(env={"COLUMNS": str(columns)})
        return await asyncio.to_thread(runner.invoke, app, self._with_dsn(arguments), input=text)

    async def process(self, *arguments, text="", **environment):
        """Run a command as a process."""
        return await self.process_without_dsn(*self._with_dsn(arguments), text=text, **environment)

    async def process_without_dsn(self, *arguments, text="", **environment):
        """Run a command that asks no database as a process."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bridge", *arguments],
            cwd=self.folder,
            env=clean_environment(COLUMNS="200", **environment),
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    async def terminal(self, *arguments, answer):
        """Run a command in a terminal and answer what it asks; return its exit status and all that was shown."""
        command = [sys.executable, "-m", "bridge", *self._with_dsn(arguments)]
        return await asyncio.to_thread(in_terminal, command, answer, cwd=self.folder, env=clean_environment())

    def _with_dsn(self, arguments):
        return [*map(str, arguments), "--dsn", self.dsn]


def clean_environment(**added):
    """This process's environment without settings of Bridge."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    return kept | added


def in_terminal(command, answer, **options):
    """Run a command in a terminal, write `answer` once it asks, and return its exit status and what was shown."""
    with opened_terminal() as (ours, theirs):
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, **options) as running:
            os.close(theirs)
            shown, answered = b"", False
            while select.select([ours], [], [], PATIENCE)[0]:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:  # what Linux says once the other end is closed
                    break
                if answer and not answered and b"[y/N]" in shown:
                    os.write(ours, f"{answer}\n".encode())
                    answered = True
        return running.returncode, shown.decode()


@contextmanager
def opened_terminal():
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
