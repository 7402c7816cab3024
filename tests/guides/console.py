"""A console block: commands after `$ `, each followed by what it prints, in which `…` stands for anything."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass

#: Seconds that one command may take.
PATIENCE = 90


@dataclass(frozen=True)
class Command:
    """A command, what it has to print (nothing said: whatever it likes), and the status that it has to end with."""

    text: str
    output: list[str]
    status: int = 0


def read_commands(code: str) -> list[Command]:
    """Return a block's commands; a line `(exit 1)` at the end of an output says that a command fails."""
    commands: list[tuple[list[str], list[str]]] = []
    for line in code.rstrip().split("\n"):
        if line.startswith("$ "):
            commands.append(([line[2:]], []))
        elif not commands:
            raise ValueError(f"expected a line that begins with '$ ', got {line!r}")
        elif commands[-1][0][-1].endswith("\\") and not commands[-1][1]:
            commands[-1][0].append(line.removeprefix("> "))
        else:
            commands[-1][1].append(line)
    return [_command("\n".join(text), output) for text, output in commands]


def _command(text: str, output: list[str]) -> Command:
    while output and not output[-1].strip():
        output = output[:-1]
    status = re.fullmatch(r"\(exit (\d+)\)", output[-1]) if output else None
    return Command(text, output[:-1] if status else output, int(status[1]) if status else 0)


class Shell:
    """One bash for a page, so that `cd` and `export` last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def open(cls, folder: str, environment: dict[str, str]) -> Shell:
        """Start it in a folder."""
        return cls(
            await asyncio.create_subprocess_exec(
                "bash",
                "--norc",
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=2**24,
            )
        )

    async def run(self, command: Command) -> None:
        """Run a command, and raise AssertionError where it printed or ended otherwise."""
        mark = f"end-{uuid.uuid4().hex}"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # No standard input: a command that asks a question must not swallow the next command.
        self._process.stdin.write(f"{{ {command.text}\n}} </dev/null; status=$?; echo; echo {mark} $status\n".encode())
        await self._process.stdin.drain()
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not lines or not lines[-1].startswith(mark):
                line = await self._process.stdout.readline()
                assert line, f"the shell ended within: {command.text}\n" + "\n".join(lines)
                lines.append(line.decode(errors="replace").rstrip("\n"))
        status = int(lines.pop().split()[1])
        lines.pop()  # the empty line that keeps the mark on a line of its own
        printed = "\n".join(lines)
        assert status == command.status, f"exit status {status} of: {command.text}\n{printed}"
        if command.output:
            assert matches(command.output, lines), f"$ {command.text}\nprinted\n{printed}\nand not\n" + "\n".join(
                command.output
            )

    async def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def matches(expected: list[str], printed: list[str]) -> bool:
    """Tell whether lines are as expected; the width of gaps and spaces at the ends don't count."""
    lines = [r"(?:[^\n]*\n)*?" if line.strip() == "…" else f"{_line(line)}\n" for line in expected]
    return re.fullmatch("".join(lines), "".join(f"{_even(line)}\n" for line in printed)) is not None


def _line(expected: str) -> str:
    return r"[^\n]*?".join(re.escape(part) for part in _even(expected).split("…"))


def _even(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line).strip()
