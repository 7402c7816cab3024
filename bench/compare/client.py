"""The orchestrator's end of the conversation with a driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
PATIENCE = 900.0  # seconds that anything may take


class DriverError(Exception):
    """A driver said that it could not do as it was asked, or ended."""


class Client:
    """A driver's process, asked and listened to."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        if process.stdin is None or process.stdout is None:
            raise DriverError("a driver needs pipes to be asked and to answer")
        self._process, self._input, self._output, self._log = process, process.stdin, process.stdout, log
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.progress = 0
        self._reading = asyncio.create_task(self._read())

    async def ask(self, act: str, **given: Any) -> dict[str, Any]:
        """Ask it to do something, and return what it says.

        Raises:
            DriverError: It failed or ended; the message has the end of its log.
        """
        self._input.write(json.dumps({"do": act, **given}).encode() + b"\n")
        message = await asyncio.wait_for(self._answers.get(), PATIENCE)
        if "error" in message:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
            raise DriverError(f"{act}: {message['error']}\n{tail}")
        answer: dict[str, Any] = message["answer"]
        return answer

    async def _read(self) -> None:
        while line := await self._output.readline():
            message = json.loads(line)
            if "progress" in message:
                self.progress = message["progress"]
            else:
                self._answers.put_nowait(message)
        self._answers.put_nowait({"error": "the driver ended"})

    async def end(self) -> None:
        """Let it end, by force where it doesn't within seconds."""
        self._input.close()
        try:
            await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading


@asynccontextmanager
async def driver(interpreter: Path, script: str, dsn: str, log: Path) -> AsyncIterator[Client]:
    """Start a driver, and end it with the block."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            interpreter, PEERS / script, dsn,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors, limit=2**24,
        )  # fmt: skip
    client = Client(process, log)
    try:
        yield client
    finally:
        await client.end()
