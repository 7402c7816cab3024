"""SQL alone: the bare loop's statements on Elixir's tables, with no job run in between."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from bare_loop import ACK, FETCH, BareLoop
from driver import main


class SqlAlone(BareLoop):
    """The statements alone."""

    async def _run(self, limit: int) -> None:
        fetch, ack = await self._fetching.prepare(FETCH), await self._acking.prepare(ACK)
        writing: asyncio.Task[object] | None = None
        # The first batch stands for the first job: what comes before it isn't measured of others either.
        while rows := await fetch.fetch("bench", limit, datetime.now(UTC).replace(tzinfo=None), self._uuid):
            if not self.tally.count:
                self.tally.first, self.tally.first_cpu = time.time(), time.process_time()
            if writing is not None:
                await writing
            at = datetime.now(UTC).replace(tzinfo=None)
            writing = asyncio.create_task(ack.fetch([row["id"] for row in rows], self._uuid, at, 1))
            self.tally.count += len(rows)
        if writing is not None:
            await writing


if __name__ == "__main__":
    main(SqlAlone)
