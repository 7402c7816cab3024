"""A node whose caller does not wait: starts and events that are given up, and questions that it can't take yet."""

import asyncio
import time

import pytest

from bridge.errors import DecodeError, NodeError, NodeFailed
from bridge.testing.interop import ElixirNode
from bridge.testing.interop.host import Host, Mix

from .beam import alive, needs_elixir, plain, write_project

pytestmark = needs_elixir

PATIENCE = 60  # seconds for what should take a moment, on a busy machine


@pytest.fixture(scope="module")
def node():
    with ElixirNode(plain()) as started:
        yield started


async def written(path):
    async with asyncio.timeout(PATIENCE):
        while not path.exists() or not path.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    return path.read_text()


# Starts


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path):
    mark = tmp_path / "pid"
    node = ElixirNode(Host(["sh", "-c", f"echo $$ > {mark}; exec sleep 1000"]))
    starting = asyncio.create_task(node.start())
    pid = await written(mark)

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert not alive(pid)
    assert not node.running


async def test_a_start_that_is_cancelled_while_it_gets_ready_leaves_nothing(tmp_path):
    mark = tmp_path / "pid"
    node = ElixirNode(plain(), config=f'File.write!("{mark}", System.pid())', ready="false")

    async def use():
        async with node:
            pytest.fail("it is never ready")

    using = asyncio.create_task(use())
    pid = await written(mark)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using

    assert not alive(pid)


async def test_a_start_that_is_cancelled_while_it_compiles_boots_nothing(tmp_path):
    project = write_project(tmp_path)
    (project / "lib/slow.ex").write_text(
        f"""
        File.write!("{tmp_path}/pid", System.pid())
        wait = fn wait -> File.exists?("{tmp_path}/go") || (Process.sleep(10); wait.(wait)) end
        wait.(wait)
        File.write!("{tmp_path}/done", "done")
        """
    )
    node = ElixirNode(Mix(project))
    starting = asyncio.create_task(node.start())
    await written(tmp_path / "pid")

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    (tmp_path / "go").touch()
    await written(tmp_path / "done")
    await asyncio.to_thread(node._booting.acquire)  # the thread has ended

    assert not node.running
    assert node.hello is None


async def test_a_node_is_started_by_one_caller_at_a_time():
    node = ElixirNode(plain())

    first, second = await asyncio.gather(node.start(), node.start(), return_exceptions=True)
    await asyncio.to_thread(node.__exit__, None, None, None)

    assert {type(first), type(second)} == {ElixirNode, NodeError}
    assert "being started already" in f"{first!r}{second!r}"
    assert not alive(node.hello.pid)


class SlowToLaunch(Host):
    """Its process runs for a while before the launch returns, as on a machine that is busy elsewhere."""

    def launch(self, boot):
        process = super().launch(boot)
        time.sleep(0.3)
        return process


@pytest.mark.parametrize("runner", [Host, SlowToLaunch])
async def test_a_node_that_is_killed_while_it_boots_is_told(runner, tmp_path):
    mark = tmp_path / "pid"
    node = ElixirNode(runner(["sh", "-c", f"echo $$ > {mark}; exec sleep 1000"]))
    starting = asyncio.create_task(node.start())
    pid = await written(mark)

    await node.kill()

    with pytest.raises(NodeFailed, match=r"ended while it booted \(exit status -9\)"):
        await starting
    assert not alive(pid)


# Events


async def test_an_event_comes_to_the_next_who_asks_where_the_first_was_cancelled(node):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await node.event("first", timeout=5)
    with pytest.raises(TimeoutError, match="no event 'first'"):
        await node.event("first", timeout=0.05)

    await node.rpc('Bridge.Console.send("first", 1)')

    assert await node.event("first") == 1


async def test_those_who_await_an_event_are_served_in_turn_and_hold_up_nothing(node):
    waiting = [asyncio.create_task(node.event("turn", timeout=600)) for _ in range(50)]
    await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE):
        await node.pause()  # threads do this, and those who wait need none
        await node.resume()

    await node.rpc('for n <- 1..50, do: Bridge.Console.send("turn", n)')
    assert await asyncio.gather(*waiting) == list(range(1, 51))


async def test_an_event_that_can_not_be_read_is_its_readers_trouble(node):
    nested = "Enum.reduce(1..1_000, [], fn _, list -> [list] end)"
    await node.rpc(f'Bridge.Console.send("deep", {nested}); Bridge.Console.send("deep", 2)')

    with pytest.raises(DecodeError, match="nested"):
        await node.event("deep")
    assert await node.event("deep") == 2
    with pytest.raises(DecodeError, match="nested"):
        await node.rpc(nested)
    assert await node.rpc("3") == 3


async def test_events_sent_before_the_end_are_read_after_it():
    async with ElixirNode(plain()) as node:
        await node.rpc('for n <- 1..3, do: Bridge.Console.send("last", n)')
        waiting = asyncio.create_task(node.event("other", timeout=600))
        await node.kill()

        assert [await node.event("last") for _ in range(3)] == [1, 2, 3]
        with pytest.raises(NodeFailed, match="ended while an event was awaited"):
            await node.event("last")
        with pytest.raises(NodeFailed, match="ended while an event was awaited"):
            await waiting
        with pytest.raises(NodeFailed, match="ended while an event was awaited"):
            node.event_sync("last")


def test_an_event_that_was_given_up_without_a_loop_is_kept_too(node):
    with pytest.raises(TimeoutError, match=r"no event 'sync' came from the node within 0\.05 s"):
        node.event_sync("sync", timeout=0.05)

    node.rpc_sync('Bridge.Console.send("sync", 1)')

    assert node.event_sync("sync") == 1


# Questions


async def test_a_paused_node_that_is_asked_megabytes_does_not_hold_up_the_loop(node):
    await node.pause()
    try:
        asked = asyncio.create_task(node.rpc("byte_size(text)", timeout=PATIENCE, text=b"x" * 30_000_000))
        with pytest.raises(TimeoutError):  # a loop that is held up, for as long as the pause is, gives nothing up
            await node.rpc("1", timeout=0.1)
    finally:
        await node.resume()

    assert await asked == 30_000_000


async def test_a_paused_node_that_is_asked_megabytes_can_be_killed():
    async with ElixirNode(plain()) as node:
        await node.pause()
        asked = asyncio.create_task(node.rpc("byte_size(text)", text=b"x" * 30_000_000))
        await asyncio.sleep(0)

        await node.kill()

        with pytest.raises(NodeFailed):
            await asked
