"""The server: stopped in each way, killed, without a free connection, and read-only, for all or by session."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import asyncpg

from faults.outage import Outage
from faults.site import DATABASE

from . import Fault

if TYPE_CHECKING:
    from faults.ground import Ground

#: Takes the connections that others shall not have.
_GREEDY: Final = "faults-greedy"


class StoppedFast(Outage):
    """The server ends all connections and stops, as by its init system, for longer than a dead node's silence."""

    name = "server-stopped-fast"

    async def take_away(self, ground: Ground, random: Random) -> str:
        await ground.site.stop("fast")
        return "away for long"

    async def bring_back(self, ground: Ground) -> None:
        await ground.site.start()


class StoppedImmediately(StoppedFast):
    """The server stops without a checkpoint, and recovers when it starts: it has forgotten all leases."""

    name = "server-stopped-immediately"
    lasting: ClassVar[tuple[float, float]] = (0.8, 1.5)

    async def take_away(self, ground: Ground, random: Random) -> str:
        await ground.site.stop("immediate")
        return "away for a moment"


class Killed(StoppedFast):
    """The postmaster gets SIGKILL, and nobody starts it for longer than a dead node's silence."""

    name = "server-killed"

    async def take_away(self, ground: Ground, random: Random) -> str:
        await ground.site.kill()
        return "away for long"


class Restarted(StoppedFast):
    """The server is restarted at once, in one way or the other, as for an update of its own."""

    name = "server-restarted"
    lasting: ClassVar[tuple[float, float]] = (0.8, 0.8)  # until what was in flight has ended, for the check

    async def take_away(self, ground: Ground, random: Random) -> str:
        modes: tuple[Literal["fast", "immediate"], ...] = ("fast", "immediate")
        mode = random.choice(modes)
        await ground.site.restart(mode)
        return mode


class ConnectionsUsedUp(Outage):
    """Somebody takes every connection that the server has, also those that nodes had, and holds them."""

    name = "connections-used-up"

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Any] = []
        self._taking: asyncio.Task[None] | None = None

    async def take_away(self, ground: Ground, random: Random) -> str:
        self._held = [await self._connect(ground)]
        refused = asyncio.Event()
        self._taking = asyncio.create_task(self._take(ground, refused), name="faults-greedy")
        async with asyncio.timeout(20):
            await refused.wait()
        while True:  # who loses a connection asks for another one, and may be faster than we are
            ended = await self._held[0].fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where backend_type = 'client backend' and application_name <> $1",
                _GREEDY,
            )
            if not ended:
                return f"{len(self._held)} connections taken"
            await asyncio.sleep(0.05)

    async def bring_back(self, ground: Ground) -> None:
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait([self._taking])
        for conn in self._held:
            conn.terminate()
        self._held = []

    async def _take(self, ground: Ground, refused: asyncio.Event) -> None:
        while True:
            try:
                self._held.append(await self._connect(ground))
            except (asyncpg.TooManyConnectionsError, OSError):
                refused.set()
                await asyncio.sleep(0.01)
            except asyncpg.PostgresError:  # it was ended with the others before it had its name
                await asyncio.sleep(0.01)

    async def _connect(self, ground: Ground) -> Any:
        return await asyncpg.connect(ground.site.dsn, server_settings={"application_name": _GREEDY})


class ReadOnly(Outage):
    """The server takes no writes, and says so to those that are connected; then it takes them again."""

    name = "server-read-only"

    async def take_away(self, ground: Ground, random: Random) -> str:
        await _write(ground, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
        return "by its configuration"

    async def bring_back(self, ground: Ground) -> None:
        await _write(ground, "alter system reset default_transaction_read_only", "select pg_reload_conf()")


class SessionsReadOnly(Outage):
    """New sessions can't write: nodes are made to connect anew, and theirs stay so after the database is open again.

    So does who runs out of space at some providers, and a server that was a primary one.
    """

    name = "sessions-read-only"

    async def take_away(self, ground: Ground, random: Random) -> str:
        await _write(
            ground,
            f"alter database {DATABASE} set default_transaction_read_only = on",
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        return "all connections ended"

    async def bring_back(self, ground: Ground) -> None:
        await _write(ground, f"alter database {DATABASE} reset default_transaction_read_only")


async def _write(ground: Ground, *statements: str) -> None:
    """Run statements in a session that may write, whatever others may."""
    conn = await asyncpg.connect(ground.site.dsn, timeout=10, server_settings={"default_transaction_read_only": "off"})
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        conn.terminate()


FAULTS: Final[tuple[Fault, ...]] = (
    StoppedFast(),
    StoppedImmediately(),
    Killed(),
    Restarted(),
    ConnectionsUsedUp(),
    ReadOnly(),
    SessionsReadOnly(),
)
