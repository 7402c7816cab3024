"""A node of plain Elixir: what it is asked, what it tells, and how it ends."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.codecs import etf
from bridge.errors import EncodeError, InvalidSetting, NodeError, NodeFailed, NodeUnavailable, RemoteError
from bridge.testing.interop import ElixirNode
from bridge.testing.interop import node as node_module
from bridge.testing.interop.host import Host

from .beam import alive, needs_elixir, plain

pytestmark = needs_elixir

PATIENCE = 60  # seconds for what should take a moment, on a busy machine

LAST = Path(__file__).with_name("last.ex")


@pytest.fixture(scope="module")
def node():
    with ElixirNode(plain()) as started:
        yield started


@pytest.fixture
def nodes():
    """A function that makes a node, which ends with the test."""
    made = []

    def make(runner=None, **options):
        made.append(ElixirNode(runner or plain(), **options))
        return made[-1]

    yield make
    for each in made:
        each.__exit__(None, None, None)


# Questions


async def test_an_expression_is_answered_with_its_value(node):
    assert await node.rpc('{:ok, %{1 => [2.5, "three", nil]}}') == (etf.Atom("ok"), {1: [2.5, "three", None]})


async def test_bindings_are_variables_whatever_they_hold(node):
    hostile = 'x"; System.halt(1) #{1}'
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)

    assert await node.rpc("{text, number, tuple}", text=hostile, number=10**40, tuple=(1, None)) == (
        hostile,
        10**40,
        (1, None),
    )
    assert await node.rpc("DateTime.to_iso8601(moment)", moment=moment) == "2026-01-02T03:04:05.000006Z"
    assert await node.rpc("is_atom(name) and name == :black", name=etf.Atom("black"))
    assert await node.rpc("price", price=etf.Struct("Decimal", {"sign": 1, "coef": 110, "exp": -2})) == Decimal("1.10")


async def test_a_binding_that_no_term_can_hold_is_refused(node):
    with pytest.raises(EncodeError, match="bindings"):
        await node.rpc("x", x=float("nan"))


async def test_variables_are_fresh_every_time(node):
    await node.rpc("left = 1")

    with pytest.raises(RemoteError, match=r"undefined (variable|function)"):
        await node.rpc("left")


@pytest.mark.parametrize(
    ("expression", "banner"),
    [
        ("1 / 0", r"\*\* \(ArithmeticError\) bad argument in arithmetic expression"),
        ('raise "no tea"', r"\*\* \(RuntimeError\) no tea"),
        ("throw(:cup)", r"\*\* \(throw\) :cup"),
        ("exit(:gone)", r"\*\* \(exit\) :gone"),
        ("foo(", r"\*\* \(TokenMissingError\).*"),
    ],
)
async def test_what_raises_there_raises_here_with_elixirs_words(node, expression, banner):
    with pytest.raises(RemoteError, match=banner) as caught:
        await node.rpc(expression)

    assert "Bridge.Console" in caught.value.trace
    assert await node.rpc("1") == 1


async def test_two_questions_are_answered_at_once(node):
    waiting = asyncio.ensure_future(node.rpc("Process.register(self(), :waiting); receive do answer -> answer end"))

    await node.rpc("Bridge.Console.await(fn -> Process.whereis(:waiting) end); send(:waiting, 5)")

    assert await waiting == 5


async def test_a_question_that_takes_too_long_is_given_up(node):
    with pytest.raises(TimeoutError):
        await node.rpc("Process.sleep(:infinity)", timeout=0.1)

    assert await node.rpc("2") == 2


async def test_megabytes_cross_both_ways(node):
    text = "ü" * 3_000_000

    assert await node.rpc("text <> text", text=text) == text * 2


def test_without_an_event_loop_it_answers_too(node):
    assert node.rpc_sync("n + 1", n=1) == 2


async def test_events_come_in_their_order_and_by_name(node):
    await node.rpc('for n <- 1..3, do: Bridge.Console.send("steps", n); Bridge.Console.send(:other, %{a: 1})')

    assert await node.event("other") == {etf.Atom("a"): 1}
    assert [await node.event("steps") for _ in range(3)] == [1, 2, 3]


async def test_an_event_that_does_not_come_is_a_timeout(node):
    with pytest.raises(TimeoutError, match="no event 'never'"):
        await node.event("never", timeout=0.1)


# Life


async def test_it_is_set_up_before_its_application_starts(nodes, tmp_path):
    (tmp_path / "extra.ex").write_text("defmodule Extra do\n  def size, do: 3\nend\n")
    started = "List.keymember?(Application.started_applications(), :mnesia, 0)"
    node = nodes(
        app="mnesia",
        load=[tmp_path / "extra.ex"],
        config=f"Application.put_env(:elixir, :seen, {{Extra.size(), {started}}})",
        env={"TEA": "black"},
    )

    async with node:
        assert await node.rpc("Application.get_env(:elixir, :seen)") == (3, False)
        assert await node.rpc(started) is True
        assert await node.rpc('System.get_env("TEA")') == "black"


async def test_it_is_ready_when_its_expression_is_true(nodes):
    node = nodes(
        config="spawn(fn -> Process.sleep(300); Application.put_env(:elixir, :tea, true) end)",
        ready="Application.get_env(:elixir, :tea)",
    )

    async with node:
        assert await node.rpc("Application.get_env(:elixir, :tea)") is True


async def test_a_paused_node_answers_once_it_goes_on(nodes):
    async with nodes() as node:
        await node.pause()
        with pytest.raises(TimeoutError):
            await node.rpc("1", timeout=0.3)
        answer = asyncio.ensure_future(node.rpc("2"))
        await node.resume()

        assert await answer == 2


async def test_a_stopped_node_ends_its_applications(nodes, tmp_path):
    node = nodes(
        load=[LAST],
        config=f'Last.load("{tmp_path}/words")',
        app="last",
    )
    await node.start()

    await node.stop()

    assert not node.running
    assert (tmp_path / "words").read_text() == "last words"


async def test_a_killed_node_fails_what_waits_for_it_and_starts_anew(nodes):
    node = await nodes().start()
    first = node.hello.pid
    waiting = asyncio.ensure_future(node.rpc("Process.sleep(:infinity)"))
    await node.rpc("1")

    await node.kill()

    with pytest.raises(NodeFailed):
        await waiting
    with pytest.raises(NodeFailed):
        await node.rpc("1")
    assert not alive(first)
    await node.start()
    assert await node.rpc("3") == 3
    assert node.hello.pid != first


async def test_a_node_that_ends_by_itself_is_noticed(nodes):
    node = await nodes().start()

    with pytest.raises(NodeFailed):
        await node.rpc('IO.puts("so long"); System.halt(7)')
    with pytest.raises(NodeFailed, match=r"exit status 7(?s:.*)so long"):
        await node.event("never")


async def test_a_node_runs_once(nodes):
    async with nodes() as node:
        with pytest.raises(NodeError, match="runs already"):
            await node.start()


async def test_leaving_the_context_kills_it_even_paused(nodes):
    node = nodes()
    async with node:
        pid = node.hello.pid
        await node.pause()

    assert not alive(pid)
    with pytest.raises(NodeFailed, match="not running"):
        await node.rpc("1")


# Failures at boot


async def test_a_crash_at_boot_tells_the_last_lines(nodes):
    node = nodes(Host(["elixir", "-e", 'for n <- 1..99, do: IO.puts("line #{n}"); System.halt(3)']))

    with pytest.raises(NodeFailed, match=r"ended while it booted \(exit status 3\)") as caught:
        await node.start()

    assert str(caught.value).endswith("line 98\nline 99")
    assert "line 1\n" not in str(caught.value)
    assert node.logs().startswith("line 1\n")


async def test_an_application_that_does_not_start_is_told(nodes):
    node = nodes(app="no_such_app")

    with pytest.raises(NodeFailed, match="no_such_app did not start: could not find application file"):
        await node.start()
    assert not node.running


async def test_a_configuration_that_raises_is_told(nodes):
    with pytest.raises(NodeFailed, match=r"did not get ready: \*\* \(RuntimeError\) cold"):
        await nodes(config='raise "cold"').start()


class Marking(Host):
    """Its launch takes until the process has written to the file `MARK`."""

    def launch(self, boot):
        process = super().launch(boot)
        deadline = time.monotonic() + PATIENCE
        while not (self._env["MARK"].exists() and self._env["MARK"].read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return process


async def test_a_node_that_does_not_call_is_given_up_and_killed(nodes, tmp_path):
    mark = tmp_path / "pid"
    node = nodes(Marking(["sh", "-c", f"echo $$ > {mark}; exec sleep 1000"], env={"MARK": mark}), boot_timeout=1.0)

    with pytest.raises(NodeFailed, match="did not connect to the harness within 1 s"):
        await node.start()
    assert not alive(mark.read_text())


class Clock:
    """A time that stands still until a node has connected, half a second before ten minutes are over."""

    def __init__(self, node):
        self._node, self._since = node, None

    def monotonic(self):
        if self._node.hello is None:
            return 0.0
        self._since = self._since or time.monotonic()
        return 599.5 + time.monotonic() - self._since


async def test_a_node_that_is_never_ready_is_given_up(nodes, monkeypatch):
    node = nodes(ready="false", boot_timeout=600)
    monkeypatch.setattr(node_module, "time", Clock(node))

    with pytest.raises(NodeFailed, match=r"still false after \d+ ms|was not ready within 600 s"):
        await node.start()
    assert node.hello is not None


async def test_a_missing_program_is_named(nodes):
    with pytest.raises(NodeUnavailable, match=r"no program 'elixirr'.*install Elixir"):
        await nodes(Host(["elixirr"])).start()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"env": {"A=B": "x"}}, "env: expected names of variables.*A=B"),
        ({"env": {"": "x"}}, "env: expected names of variables"),
        ({"env": {"A": 1}}, r"env\.A: expected text without a NUL, got 'int'"),
        ({"env": {"A": "secret\0"}}, r"env\.A: expected text without a NUL, got 'str'"),
        ({"dsn": "postgresql://host/db", "dsn_variable": ""}, "env: expected names of variables"),
        ({"boot_timeout": 0}, "boot_timeout: expected seconds, more than 0, got 0"),
        ({"boot_timeout": float("nan")}, "boot_timeout: expected seconds"),
    ],
)
def test_what_no_process_can_be_started_with_is_refused_at_once(options, told):
    with pytest.raises(InvalidSetting, match=told) as caught:
        ElixirNode(plain(), **options)
    assert "secret" not in str(caught.value)


def test_a_dsn_that_is_none_is_refused_at_once_and_without_its_password():
    with pytest.raises(NodeError, match="the DSN: expected postgresql://") as caught:
        ElixirNode(plain(), dsn="mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)


async def test_a_file_that_is_not_there_is_told_before_anything_is_started(nodes, tmp_path):
    node = nodes(load=[tmp_path / "no.ex"])
    with pytest.raises(NodeError, match=r"load: there is no file .*no\.ex"):
        await node.start()
    assert node.hello is None


async def test_the_token_is_neither_in_the_logs_nor_in_a_representation(nodes):
    node = nodes(Host(["elixir", "-e", "System.halt(1)"]), boot_timeout=600)
    began = time.monotonic()

    with pytest.raises(NodeFailed) as caught:
        await node.start()

    assert "token" not in f"{caught.value!r}{node!r}{node.logs()}"
    assert time.monotonic() - began < PATIENCE  # it did not wait for the boot's whole time
