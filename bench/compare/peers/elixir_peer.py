"""Oban for Elixir: a real node, reached through the harness of `bridge.testing.interop`, with no logger attached.

The node connects to PostgreSQL itself. Its processor time is the BEAM's, busy waiting of its schedulers included.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from asyncpg_peer import AsyncpgPeer
from driver import TELL, main, resident
from oban_rows import WAITING, fills

from bridge import Oban
from bridge.testing.interop import ElixirNode
from bridge.testing.interop.choice import choose

# Milliseconds between two fetches of a queue: Oban's default of 5 binds where the limit is small, and 1 is the least.
CONFIG = """
Application.put_env(:badge_forge, Oban,
  Keyword.merge(Application.get_env(:badge_forge, Oban), queues: [], plugins: [], dispatch_cooldown: 1))
Application.put_env(:badge_forge, BadgeForge.Repo,
  Keyword.merge(Application.get_env(:badge_forge, BadgeForge.Repo),
    pool_size: 20, log: false, parameters: [application_name: "NAME"]))
"""
READY = """
Protocol.consolidated?(Enumerable) || raise "the protocols aren't consolidated, which makes a node slower"
Oban.Telemetry.detach_default_logger()
Bench.Tally.reset()
true
"""


class ElixirPeer(AsyncpgPeer):
    """A node of Elixir."""

    fills: ClassVar = fills("Bench.Noop")
    waiting = WAITING
    _node: Any = None
    _polling: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Install Elixir's tables."""
        await Oban(dsn=self.dsn).install()

    async def open(self) -> None:
        """Boot the node."""
        parts = urlsplit(self.dsn)
        name = parse_qs(parts.query).get("application_name", ["bench"])[0]
        self._node = ElixirNode(
            choose(os.environ["BRIDGE_ELIXIR"]),
            # Names of their own: a queue is started by a signal that every node of a name obeys.
            env={"DATABASE_URL": parts._replace(query="").geturl(), "OBAN_QUEUES": "", "OBAN_NODE": name},
            app="badge_forge",
            config=CONFIG.replace("NAME", name),
            load=[Path(__file__).with_name("elixir_bench.ex")],
            ready=READY,
        )
        await self._node.start()

    async def _ask(self, expression: str, timeout: float = 120, **bindings: Any) -> Any:
        return await self._node.rpc(expression, timeout, **bindings)

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert 5,000 a call."""
        await self._ask("Bench.Tally.enqueue(kind, count)", 600, kind=kind.capitalize(), count=count)

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job; asking the node for it isn't part of the delay."""
        if at is None:
            script = "Oban.insert(Bench.Stamp.new(%{t: System.os_time(:microsecond) / 1_000_000})); nil"
            await self._ask(script)
        else:
            script = """
            at = DateTime.from_unix!(round(t * 1_000_000), :microsecond)
            Oban.insert(Bench.Stamp.new(%{t: t}, scheduled_at: at))
            nil
            """
            await self._ask(script, t=at)

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start the queues."""
        self._polling = asyncio.create_task(self._report())
        for name, limit in queues.items():
            script = "Oban.start_queue(queue: String.to_atom(name), limit: limit, local_only: true)"
            await self._ask(script + "; nil", name=name, limit=limit)

    async def _report(self) -> None:
        told = 0
        while True:
            await asyncio.sleep(TELL)
            count = await self._ask("Bench.Tally.await(told, target)", told=told, target=self.tally.target)
            if count != told:
                told = count
                self.tally._tell({"progress": told})  # noqa: SLF001 - the node's count stands for this process's

    async def reset(self, target: int) -> None:
        """Begin to count anew."""
        await super().reset(target)
        await self._ask("Bench.Tally.reset(); nil")

    async def versions(self) -> dict[str, str]:
        """Return those of the node."""
        found = await self._ask("{System.version(), System.otp_release(), to_string(Application.spec(:oban, :vsn))}")
        return dict(zip(("Elixir", "OTP", "Oban for Elixir"), found, strict=True))

    async def usage(self) -> dict[str, Any]:
        """Return what the node says of itself."""
        found = await self._ask("Bench.Tally.usage()")
        usage = {str(name): value for name, value in found.items()}
        return {**usage, "rss": resident(self._node.hello.pid)}

    async def stop(self) -> None:
        """Stop the node."""
        if self._polling is not None:
            self._polling.cancel()
        if self._node is not None and self._node.running:
            await self._node.stop()

    async def close(self) -> None:
        """Stop the node, if nobody has."""
        with suppress(Exception):
            await self.stop()


if __name__ == "__main__":
    main(ElixirPeer)
