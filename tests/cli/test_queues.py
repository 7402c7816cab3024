"""`bridge queues`: what is told of queues, and what nodes do on its word."""

import asyncio
import json
import re
from datetime import timedelta

import asyncpg
import pytest
from pooler import transaction_pooler
from queues.rig import PATIENCE, insert_row, make_worker

from bridge import Job
from bridge.engine import utc_now
from bridge.errors import InvalidSignal
from bridge.pubsub import Link

from .rig import Commands


@pytest.fixture
async def node(start, registry):
    """A node with two queues, one of which runs a job, that hears messages."""
    running, release = asyncio.Event(), asyncio.Event()

    async def hold(_job):
        running.set()
        await release.wait()

    make_worker(registry, hold)
    oban = await start(queues={"mail": 3, "slow": {"limit": 2, "paused": True}}, node="py@a")
    await oban.enqueue(Job("W", queue="mail"))
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Link.CONNECTED)
        await running.wait()
    yield oban
    release.set()


async def until(condition):
    """Wait for what a message does on a node of this process, which nothing announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def told(bridge, *options, patience=PATIENCE):
    result = await bridge.run("queues", "list", "--json", "--patience", patience, *options)
    assert result.exit_code == 0, result.output
    return {line["queue"]: line for line in map(json.loads, result.stdout.splitlines())}


def brief(places):
    return [(place["node"], place["running"], place["limit"], place["status"]) for place in places]


# Listing


async def test_every_queue_is_told_with_its_jobs_and_its_nodes(bridge, conn, node):
    await insert_row(conn, queue="only-jobs", state="scheduled", scheduled_at=utc_now() + timedelta(hours=1))
    await insert_row(conn, queue="only-jobs", state="completed")
    await insert_row(conn, queue="mail", state="executing", attempt=1, attempted_by=["ex@host", "u"])
    queues = await told(bridge)
    assert list(queues) == ["mail", "only-jobs", "slow"]
    assert queues["only-jobs"] == {"queue": "only-jobs", "jobs": {"scheduled": 1, "completed": 1}, "nodes": []}
    assert brief(queues["mail"]["nodes"]) == [("py@a", 1, 3, "running"), ("ex@host", 1, None, "other")]
    assert brief(queues["slow"]["nodes"]) == [("py@a", 0, 2, "paused")]
    table = (await bridge.run("queues", "list", "--patience", PATIENCE)).stdout.splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if "│" in line]
    assert cells == [
        ["mail", "0", "0", "0", "0", "2", "0", "py@a", "1/3", "running"],
        ["", "", "", "", "", "", "", "ex@host", "1", "other"],
        ["only-jobs", "0", "1", "0", "0", "0", "1", "-", "", ""],
        ["slow", "0", "0", "0", "0", "0", "0", "py@a", "0/2", "paused"],
    ]


async def test_a_node_that_does_not_listen_is_told_apart(bridge, start, registry):
    make_worker(registry, asyncio.sleep)
    oban = await start(queues={"mail": 3}, notifier={"enabled": False}, node="py@deaf")
    await oban.enqueue(Job("Unknown", queue="mail"))
    # It is on the list of producers once it has fetched.
    async with asyncio.timeout(PATIENCE):
        while not (queues := await told(bridge, patience=0.2))["mail"]["nodes"]:
            pass
    assert brief(queues["mail"]["nodes"]) == [("py@deaf", 0, None, "no answer")]
    result = await bridge.run("queues", "list", "--patience", 0)
    assert re.search(r"no answer: py@deaf was last heard \d+ s ago; perhaps it is dead, or it", result.stderr)
    assert 0 <= (await told(bridge, patience=0))["mail"]["nodes"][0]["silent"] < PATIENCE


async def test_without_queues_it_says_so(bridge):
    assert (await bridge.run("queues", "list")).output == "no queue has jobs, and none runs on a Python node\n"


async def test_answers_of_strangers_are_not_believed(bridge, conn, node):
    lies = ([{"queue": "lie"}], "text", [1], [{"uuid": 1}], None)
    lying = set()

    def lie(_conn, _pid, channel, payload):
        if question := json.loads(payload).get("question"):
            texts = [json.dumps({"answer": question, "queues": queues}) for queues in lies]
            lying.add(
                asyncio.ensure_future(conn.executemany("select pg_notify($1, $2)", [(channel, text) for text in texts]))
            )

    listener = await asyncpg.connect(bridge.dsn)
    try:
        await listener.add_listener("public.oban_census", lie)
        assert list(await told(bridge)) == ["mail", "slow"]
        assert lying
        await asyncio.gather(*lying)
    finally:
        await listener.close()


async def test_a_command_that_can_not_hear_blames_no_node(bridge, node):
    async with transaction_pooler(bridge.dsn) as pooler:
        deaf = Commands(pooler.dsn, bridge.folder)
        listed = await deaf.run("queues", "list", "--patience", 0.2)
        waited = await deaf.run("queues", "pause", "mail", "--wait", 0.5)
    await until(lambda: node.check_queue("mail").paused)
    assert listed.stderr.startswith("no answer: this command can't hear answers on this connection")
    assert "BRIDGE_NOTIFIER_DSN" in listed.stderr
    assert "perhaps it is dead" not in listed.stderr
    assert waited.exit_code == 1
    assert waited.stderr.startswith("error: it is not known who has done so: this command can't hear answers")
    assert "not so after" not in waited.stderr


async def test_a_command_hears_by_the_way_that_is_given_for_it(bridge, node, monkeypatch):
    monkeypatch.setenv("BRIDGE_NOTIFIER_DSN", bridge.dsn)
    async with transaction_pooler(bridge.dsn) as pooler:
        waited = await Commands(pooler.dsn, bridge.folder).run("queues", "pause", "mail", "--wait", PATIENCE)
    assert (waited.exit_code, waited.stderr) == (0, "")
    assert node.check_queue("mail").paused


# Sending


async def test_a_queue_is_paused_scaled_and_resumed_on_every_node(bridge, node):
    result = await bridge.run("queues", "pause", "mail")
    assert result.stdout.splitlines() == [
        "told every node to pause the queue mail",
        "nodes that listen obey within moments; nobody confirms it, so see `bridge queues list`",
    ]
    await until(lambda: node.check_queue("mail").paused)
    assert (await bridge.run("queues", "scale", "mail", 7)).stdout.startswith(
        "told every node to scale the queue mail to 7"
    )
    await until(lambda: node.check_queue("mail").limit == 7)
    await bridge.run("queues", "resume", "mail")
    await until(lambda: not node.check_queue("mail").paused)


async def test_all_queues_are_paused_and_resumed(bridge, node):
    await bridge.run("queues", "pause", "--all")
    await until(lambda: node.check_queue("mail").paused)
    await bridge.run("queues", "resume", "--all")
    await until(lambda: not node.check_queue("slow").paused)
    for arguments in (["pause"], ["resume", "mail", "--all"]):
        wrong = await bridge.run("queues", *arguments)
        assert (wrong.exit_code, wrong.stderr) == (2, "error: name one queue, or pass --all\n")


async def test_a_queue_is_started_and_stopped(bridge, node):
    assert (await bridge.run("queues", "start", "new", "--limit", 4, "--paused")).exit_code == 0
    await until(lambda: node.check_queue("new"))
    info = node.check_queue("new")
    assert (info.limit, info.paused) == (4, True)
    await bridge.run("queues", "stop", "new")
    await until(lambda: node.check_queue("new") is None)


async def test_one_node_of_one_instance_is_meant_where_it_is_named(bridge, node):
    for options in (["--node", "py@b"], ["--node", "py@a", "--instance", "Other"]):
        assert "on py@" in (await bridge.run("queues", "pause", "mail", *options)).stdout
    await bridge.run("queues", "scale", "mail", 9, "--node", "py@a")
    # Messages come in their order, so those before were heard too.
    await until(lambda: node.check_queue("mail").limit == 9)
    assert not node.check_queue("mail").paused


async def test_waiting_returns_once_the_nodes_show_it(bridge, node):
    for arguments, shown in (
        (["pause", "mail"], lambda: node.check_queue("mail").paused),
        (["resume", "--all"], lambda: not node.check_queue("slow").paused),
        (["scale", "mail", 5], lambda: node.check_queue("mail").limit == 5),
        (["start", "new", "--limit", 2], lambda: node.check_queue("new").limit == 2),
        (["stop", "new"], lambda: node.check_queue("new") is None),
    ):
        result = await bridge.run("queues", *arguments, "--wait", PATIENCE)
        assert (result.exit_code, result.stdout.splitlines()[1]) == (
            0,
            "all Python nodes that are concerned have done so",
        )
        assert shown()


async def test_waiting_in_vain_is_exit_status_1_and_tells_for_whom(bridge, node):
    result = await bridge.run("queues", "stop", "mail", "--wait", 0.2)  # its job holds it up
    assert result.exit_code == 1
    assert result.stderr == "error: not so after 0.2 s: mail on py@a\n"
    queues = await told(bridge)
    assert brief(queues["mail"]["nodes"]) == [("py@a", 1, 3, "stopping")]


async def test_only_the_instance_that_is_meant_is_waited_for(bridge, node):
    other = ["--node", "py@a", "--instance", "Other"]
    result = await bridge.run("queues", "pause", "mail", *other, "--wait", PATIENCE)
    assert (result.exit_code, result.stdout) == (1, "told Other on py@a to pause the queue mail\n")
    assert "error: no Python node that is alive runs the queue mail there" in result.stderr
    assert not node.check_queue("mail").paused


@pytest.mark.parametrize("arguments", [["pause", "mail"], ["stop", "mail"], ["resume", "--all"], ["start", "new"]])
async def test_waiting_for_a_node_that_there_is_not_is_exit_status_1(bridge, node, arguments):
    result = await bridge.run("queues", *arguments, "--node", "ghost", "--wait", 1)
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert result.stderr.startswith("error: no Python node that is alive runs ")


async def test_a_queue_that_no_python_node_runs_is_noted(bridge, node):
    result = await bridge.run("queues", "pause", "mial")
    assert result.exit_code == 0
    assert "no Python node that is alive runs the queue mial" in result.stderr
    assert "note" not in (await bridge.run("queues", "resume", "mail")).stderr


@pytest.mark.parametrize("arguments", [["scale", "mail", 0], ["start", "", "--limit", 1], ["stop", "*"], ["pause", ""]])
async def test_what_would_harm_an_elixir_node_is_refused(bridge, arguments):
    assert isinstance((await bridge.run("queues", *arguments)).exception, InvalidSignal)


async def test_a_prefix_too_long_for_messages_is_told(bridge, conn):
    from bridge.engine.schema import install
    from bridge.errors import InvalidPayload

    prefix = "p" * 60
    await install(conn, prefix)
    await insert_row(conn, prefix=prefix, queue="q")
    assert list(await told(bridge, "--prefix", prefix)) == ["q"]
    assert isinstance((await bridge.run("queues", "pause", "q", "--prefix", prefix)).exception, InvalidPayload)
