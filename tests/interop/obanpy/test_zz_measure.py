import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
import asyncpg
import pytest
from bridge import Job
from ..conftest import ELIXIR, PYTHON
from .test_three_ways import three, SHARED, enqueue

async def test_measure(three, peer, shared):
    three.ours.serve("mail.Send")
    async with asyncio.timeout(20):
        while not await three.ex.rpc("Oban.Peer.leader?(Oban)"): await asyncio.sleep(0.1)
    n=300
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    jobs = await three.oban.enqueue_many([Job(w, queue=q, args={"n": i}, scheduled_at=due + timedelta(milliseconds=i)) for i in range(n) for w,q in (("workers.Echo","oban-py"),("mail.Send","bridge"),("Interop.Ok","elixir"))])
    conn = await asyncpg.connect(shared.at.dsn)
    tr = conn.transaction(); await tr.start()
    mid = jobs[len(jobs)//2].id
    await conn.execute("select 1 from oban_jobs where id = $1 for update", jobs[-1].id)
    await asyncio.sleep(5)
    print(await shared.at.conn.fetch("select queue, state::text, count(*) from oban_jobs group by 1,2"))
    await tr.rollback(); await conn.close()
    async with asyncio.timeout(60):
        while (await three.at.states()).get("completed",0) < 3*n: await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)
    runs = Counter(e["job"]["id"] for e in peer.events.all("ran")); mine=Counter(j.id for j in three.ours.ran)
    print("theirs doubled", sum(v>1 for v in runs.values()), "of", len(runs), "ours doubled", sum(v>1 for v in mine.values()), "of", len(mine))
    print(await shared.at.conn.fetch("select queue, state::text, attempt, count(*) from oban_jobs group by 1,2,3"))
