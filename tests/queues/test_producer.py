"""A queue fetches what it has room for, soon, once, and never more."""

import asyncio
import itertools

import pytest

from bridge.pubsub import Status

from .rig import PATIENCE, connected, events_of, insert_row, row_of, states, until

QUICK = {"interval": 0.02}


async def nothing(_job):
    return None


async def test_the_limit_is_never_exceeded(start, worker, ends):
    inside, most = 0, 0

    async def process(_job):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.001)
        inside -= 1

    oban = await start(queues={"default": {"limit": 7, "dispatch_cooldown": 0.001}})
    cls = worker(process)
    await oban.enqueue_many(cls.new() for _ in range(300))
    await ends.first(300)
    assert most == 7


async def test_more_jobs_than_slots_drain_without_waiting_for_a_poll(start, worker, ends):
    cls = worker(nothing)
    oban = await start(queues={"default": {"limit": 2, "dispatch_cooldown": 0.001}}, stager={"interval": 600})
    await oban.enqueue_many(cls.new() for _ in range(200))
    await ends.first(200)


async def test_twenty_thousand_jobs_run_once_each(start, worker, conn):
    runs = {}

    async def process(job):
        runs[job.id] = runs.get(job.id, 0) + 1
        if len(runs) == 20_000:
            done.set()

    done = asyncio.Event()
    cls = worker(process)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(20_000))
    oban = await start(queues={"default": 500})
    async with asyncio.timeout(90):
        await done.wait()
    await oban.stop()
    assert set(runs.values()) == {1}
    assert await states(conn) == {"completed": 20_000}


async def test_jobs_go_by_priority_then_time_then_id(start, worker, ends, conn):
    order = []

    async def process(job):
        order.append(job.args["nth"])

    worker(process)
    rows = [
        (3, 2, "2026-01-01"),
        (1, 0, "2026-01-02"),
        (4, 2, "2026-01-02"),
        (0, 0, "2026-01-01"),
        (5, 9, "2025-01-01"),
        (2, 0, "2026-01-02"),
    ]
    for nth, priority, day in rows:
        await conn.execute(
            """
            insert into oban_jobs (worker, queue, priority, scheduled_at, args)
            values ('W', 'default', $1, $2::text::timestamp, jsonb_build_object('nth', $3::integer))
            """,
            priority,
            day,
            nth,
        )
    await start(queues={"default": 1})
    await ends.first(6)
    assert order == [0, 1, 2, 3, 4, 5]


async def test_a_job_that_nobody_announced_starts_within_a_round_of_the_stager(start, worker, ends, conn):
    worker(nothing)
    await connected(await start(queues={"default": 5}))
    for _ in range(2):
        await insert_row(conn)
        await ends.first(len(ends) + 1)  # long before the queue would look by itself


async def test_a_queue_looks_for_jobs_by_itself_now_and_then(start, worker, ends, conn):
    worker(nothing)
    await start(queues={"default": {"limit": 5, "refresh_interval": 0.05}}, stager={"interval": 600})
    await insert_row(conn)
    await ends.next()


async def test_a_paused_queue_fetches_nothing_until_it_is_resumed(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": {"limit": 5, "paused": True, "refresh_interval": 0.01}}, stager=QUICK)
    assert oban.check_queue("default").paused
    job = await oban.enqueue(cls.new())
    await oban._parts.stager.wait_for_round()
    assert (await row_of(conn, job))["state"] == "available"
    await oban.resume_queue("default", local_only=True)
    await ends.of(job)
    assert not oban.check_queue("default").paused


async def test_what_runs_goes_on_while_the_queue_is_paused(start, worker, ends, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 1}, stager=QUICK)
    first, second = await oban.enqueue_many([cls.new(), cls.new()])
    await gate.entered(1)
    await oban.pause_queue("default", local_only=True)
    assert oban.check_queue("default").running == (first.id,)
    gate.open()
    await ends.of(first)
    await oban._parts.stager.wait_for_round()
    assert gate.total == 1
    await oban.resume_queue("default", local_only=True)
    await ends.of(second)


async def test_scaling_up_takes_effect_at_once(start, worker, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 1}, stager={"interval": 600})
    await oban.enqueue_many(cls.new() for _ in range(10))
    await gate.entered(1)
    await oban.scale_queue("default", 4, local_only=True)
    await gate.entered(4)
    assert gate.inside == 4
    assert oban.check_queue("default").limit == 4
    gate.open()


async def test_scaling_down_lets_what_runs_go_on_and_fetches_less(start, worker, ends):
    most, inside = {}, 0
    gates = [asyncio.Event(), asyncio.Event()]

    async def process(job):
        nonlocal inside
        inside += 1
        part = job.args["part"]
        most[part] = max(most.get(part, 0), inside)
        await gates[part].wait()
        await asyncio.sleep(0)
        inside -= 1

    cls = worker(process)
    oban = await start(queues={"default": 6})
    await oban.enqueue_many(cls.new({"part": 0}) for _ in range(6))
    await until(lambda: asyncio.sleep(0, inside == 6))
    await oban.scale_queue("default", 2, local_only=True)
    await oban.enqueue_many(cls.new({"part": 1}) for _ in range(20))
    gates[0].set()
    await ends.first(6)
    gates[1].set()
    await ends.first(26)
    assert most == {0: 6, 1: 2}


async def test_fetches_keep_their_distance(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": {"limit": 1, "dispatch_cooldown": 0.1}})
    await oban.enqueue_many(cls.new() for _ in range(5))
    await ends.first(5)
    times = [row["attempted_at"] for row in await conn.fetch("select attempted_at from oban_jobs order by 1")]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 0.09


async def test_a_node_leaves_jobs_of_workers_that_it_does_not_know(start, worker, ends, conn):
    cls = worker(nothing)
    foreign = [await insert_row(conn, worker="MyApp.ElixirWorker", priority=0) for _ in range(5)]
    oban = await start(queues={"default": 1})
    await ends.of(await oban.enqueue(cls.new(priority=9)))
    rows = [await row_of(conn, job) for job in foreign]
    assert {(row["state"], row["attempt"]) for row in rows} == {("available", 0)}


async def test_a_worker_that_is_registered_later_is_known_from_then_on(start, worker, ends, conn):
    worker(nothing, "Other")
    waiting = await insert_row(conn, worker="Late")
    oban = await start(queues={"default": 5}, stager={"interval": 0.02})
    await oban._parts.stager.wait_for_round()
    assert (await row_of(conn, waiting))["state"] == "available"
    worker(nothing, "Late")
    event = await ends.next()
    assert event.job.id == waiting


async def test_two_queues_do_not_hold_each_other_up(start, worker, ends, gate):
    slow, quick = worker(gate, "Slow", queue="slow"), worker(nothing, "Quick", queue="quick")
    oban = await start(queues={"slow": 1, "quick": 1})
    await oban.enqueue(slow.new())
    await gate.entered(1)
    await oban.enqueue_many(quick.new() for _ in range(20))
    await ends.first(20)
    gate.open()


async def test_a_queue_that_has_more_to_fetch_than_the_database_takes_outcomes_goes_on(
    start, worker, ends, monkeypatch
):
    # With a backlog of one, the producer waits for its acker after each job.
    monkeypatch.setattr("bridge.queues.producer.BACKLOG", 1)
    cls = worker(nothing)
    oban = await start(queues={"default": 5}, stager={"interval": 600})
    await oban.enqueue_many(cls.new() for _ in range(50))
    await ends.first(50)


async def test_check_queue_tells_how_it_stands(start, worker, gate, ends):
    cls = worker(gate)
    oban = await start(queues={"default": 3}, node="n-1")
    info = oban.check_queue("default")
    assert (info.queue, info.name, info.node, info.limit) == ("default", "Oban", "n-1", 3)
    assert (info.paused, info.running, info.shutdown_started_at) == (False, (), None)
    assert info.started_at.tzinfo is not None
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    assert oban.check_queue("default").running == (job.id,)
    assert oban.check_queue("default").updated_at > info.updated_at
    gate.open()
    await ends.of(job)
    assert oban.check_queue("default").running == ()
    assert oban.check_queue("other") is None
    assert [each.queue for each in oban.check_all_queues()] == ["default"]


async def test_a_start_is_told_before_the_worker_runs(start, worker, ends):
    with events_of("oban.job.start") as starts:

        async def process(job):
            return [event.job.id for _, event in starts] == [job.id]

        cls = worker(process)
        oban = await start(queues={"default": 3})
        event = await ends.of(await oban.enqueue(cls.new()))
    assert event.result is True


async def test_jobs_wait_for_a_worker_of_their_name_whatever_their_number(start, worker, ends, conn):
    # The foreign rows come first and are more than the limit: they must not fill the fetch.
    await conn.execute("insert into oban_jobs (worker, queue) select 'Foreign', 'default' from generate_series(1, 500)")
    cls = worker(nothing)
    oban = await start(queues={"default": 2})
    await oban.enqueue_many(cls.new() for _ in range(10))
    await ends.first(10)
    assert await states(conn) == {"available": 500, "completed": 10}


async def test_an_idle_queue_asks_for_nothing(calm, worker, ends):
    cls = worker(nothing)
    oban = await calm(5, interval=0.05)
    await ends.of(await oban.enqueue(cls.new()))
    last = await last_fetch(oban)
    for _ in range(5):
        await oban._parts.stager.wait_for_round()
    assert oban.check_queue("default").updated_at == last


@pytest.fixture
async def calm(start):
    """A function that starts an instance whose queue is left to itself but for what the test does."""

    async def start_calm(limit, interval=600):
        oban = await start(queues={"default": limit}, stager={"interval": interval})
        async with asyncio.timeout(PATIENCE):
            await oban.notifier.wait_for(Status.SOLITARY)
            await oban._parts.leader.wait_for_leadership()
        stager = oban._parts.stager
        for _ in range(2):  # The first may have been under way.
            rounds = stager.rounds
            stager.look_again()
            await until(lambda rounds=rounds: asyncio.sleep(0, stager.rounds > rounds))
        return oban

    return start_calm


async def test_a_full_queue_asks_for_nothing(calm, worker, ends, gate):
    cls = worker(gate)
    oban = await calm(1)
    first = await oban.enqueue(cls.new())
    await gate.entered(1)
    last = await last_fetch(oban)
    second = await oban.enqueue(cls.new())
    assert await last_fetch(oban) == last
    gate.open()
    await ends.of(first)
    await ends.of(second)


async def test_a_queue_that_has_run_all_there_is_asks_for_nothing(calm, worker, ends, gate):
    cls = worker(gate)
    oban = await calm(5)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    last = await last_fetch(oban)
    gate.open()
    await ends.of(job)
    assert await last_fetch(oban) == last


async def last_fetch(oban):
    """When the queue last looked for jobs, once what was said to it has had its effect."""
    heard = asyncio.Event()
    subscription = oban.notifier.listen("insert", lambda _channel, payload: payload["queue"] == "mark" and heard.set())
    await oban.notifier.notify("insert", {"queue": "mark"})
    await heard.wait()  # and so what was announced before, which may come late on a busy machine
    subscription.cancel()
    while True:
        last = oban.check_queue("default").updated_at
        for _ in range(20):  # Longer than any fetch that had begun.
            await oban.count_jobs()
        if oban.check_queue("default").updated_at == last:
            return last
