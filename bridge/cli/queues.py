"""`bridge queues`: how queues stand on all nodes, and control messages to those that run them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from bridge.cli import queue_table
from bridge.cli.database import known_dsn, open_engine
from bridge.cli.echo import DEAF, hears_itself
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.queue_view import QueueView, concerned, laggards, look
from bridge.cli.tables import print_json, say
from bridge.cli.target import impatient
from bridge.config import Setting, load_settings
from bridge.engine import Engine, connect
from bridge.pubsub import Notifier, channels, signals
from bridge.queues import Census, census

app = typer.Typer(help="Queues: list, pause, resume, scale, start, stop.", no_args_is_help=True)

REFUSED: Final = 2

#: Seconds between two looks while `--wait` waits, and in which the nodes answer.
_LOOK: Final = 0.1
_ANSWER: Final = 0.5

Queue = Annotated[str, typer.Argument(help="The queue's name.")]
SomeQueue = Annotated[str | None, typer.Argument(help="The queue's name.", show_default=False)]
Everything = Annotated[bool, typer.Option("--all", help="Every queue.")]
Node = Annotated[str | None, typer.Option("--node", help="Only this node; default all, of both languages.")]
Instance = Annotated[
    str | None, typer.Option("--instance", help="The instance's name on that node; default the setting name, or Oban.")
]
Wait = Annotated[
    float | None, typer.Option("--wait", min=0.1, max=3_600, help="Wait so many seconds until Python's nodes show it.")
]


@app.command("list")
def list_queues(
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    patience: Annotated[
        float, typer.Option("--patience", min=0, max=60, help="Seconds to wait for the nodes' answers.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show every queue that has jobs or runs on a Python node: its jobs by state, and its nodes."""
    settings = load_settings({"dsn": dsn, "prefix": prefix}, file=file)
    view, hears = asyncio.run(_look(settings, known_dsn(settings), patience))
    if as_json:
        for line in queue_table.lines(view):
            print_json(line)
    else:
        queue_table.show(view, hears=hears)
    if not hears:
        say(f"no answer: {DEAF}", err=True)


@app.command()
def pause(
    queue: SomeQueue = None,
    everything: Everything = False,
    node: Node = None,
    instance: Instance = None,
    wait: Wait = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
) -> None:
    """Let a queue fetch no more jobs; what runs goes on. A node that starts later doesn't know of it."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "name": instance}, file=file)
    signal = signals.Pause(_one_or_all(queue, everything=everything))
    _send(settings, signal, node, wait)


@app.command()
def resume(
    queue: SomeQueue = None,
    everything: Everything = False,
    node: Node = None,
    instance: Instance = None,
    wait: Wait = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
) -> None:
    """Let a queue fetch jobs again."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "name": instance}, file=file)
    signal = signals.Resume(_one_or_all(queue, everything=everything))
    _send(settings, signal, node, wait)


@app.command()
def scale(
    queue: Queue,
    limit: Annotated[int, typer.Argument(help="How many jobs may run at once on each node.")],
    node: Node = None,
    instance: Instance = None,
    wait: Wait = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
) -> None:
    """Change how many jobs of a queue may run at once on each node."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "name": instance}, file=file)
    _send(settings, signals.Scale(queue, limit), node, wait)


@app.command()
def start(
    queue: Queue,
    limit: Annotated[int, typer.Option("--limit", help="How many jobs may run at once on each node.")] = 10,
    paused: Annotated[bool, typer.Option("--paused", help="Start it without fetching.")] = False,
    node: Node = None,
    instance: Instance = None,
    wait: Wait = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
) -> None:
    """Start a queue; a node where it runs leaves it as it is."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "name": instance}, file=file)
    _send(settings, signals.Start(queue, limit, paused), node, wait)


@app.command()
def stop(
    queue: Queue,
    node: Node = None,
    instance: Instance = None,
    wait: Wait = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
) -> None:
    """Stop a queue; its running jobs get the nodes' grace period. Nodes that start later run it again."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "name": instance}, file=file)
    _send(settings, signals.Stop(queue), node, wait)


def _one_or_all(queue: str | None, *, everything: bool) -> str:
    if (queue is None) != everything:
        say("error: name one queue, or pass --all", err=True)
        raise typer.Exit(REFUSED)
    return signals.ALL_QUEUES if queue is None else queue


# Asking


async def _look(settings: Mapping[str, Setting], dsn: str, patience: float) -> tuple[list[QueueView], bool]:
    """Return how queues stand, and whether this command could hear what nodes answer."""
    async with open_engine(settings, dsn) as engine:
        view = await look(engine, _notifier(settings, dsn, engine), patience)
        missed = patience and any(place.status == "no answer" for queue in view for place in queue.places)
        return view, not missed or await hears_itself(_notifier(settings, dsn, engine))


def _notifier(settings: Mapping[str, Setting], dsn: str, engine: Engine) -> Notifier:
    """Return a notifier that is started by whoever listens; it hears what is meant for every node."""
    return Notifier(
        connect=lambda: connect(impatient(settings["notifier.dsn"].value or dsn)),
        publish=engine.notify,
        prefix=settings["prefix"].value,
        ident=signals.ident("bridge", "queues"),
    )


# Sending


def _send(settings: Mapping[str, Setting], signal: Any, node: str | None, wait: float | None) -> None:
    name = settings["name"].value
    late, runs, hears = asyncio.run(_publish(settings, known_dsn(settings), signal, node, wait))
    say(f"told {'every node' if node is None else f'{name} on {node}'} to {_told(signal)}")
    if not runs:
        kind = "note" if wait is None else "error"  # who waits for nobody would take the end for an answer
        say(f"{kind}: no Python node that is alive {_lack(signal)} there; of Elixir's, nothing is known", err=True)
        if wait is not None:
            raise typer.Exit(1)
    if wait is None:
        say("nodes that listen obey within moments; nobody confirms it, so see `bridge queues list`")
    elif not hears:
        say(f"error: it is not known who has done so: {DEAF}", err=True)
        raise typer.Exit(1)
    elif late:
        say(f"error: not so after {wait:g} s: {', '.join(late)}", err=True)
        raise typer.Exit(1)
    else:
        say("all Python nodes that are concerned have done so")


def _lack(signal: Any) -> str:
    if isinstance(signal, signals.Start):
        return "runs any queue"
    return f"runs {'a queue' if signal.queue == signals.ALL_QUEUES else _named(signal)}"


def _named(signal: Any) -> str:
    return "all queues" if signal.queue == signals.ALL_QUEUES else f"the queue {signal.queue}"


def _told(signal: Any) -> str:
    limit = f" to {signal.limit}" if isinstance(signal, signals.Scale) else ""
    if isinstance(signal, signals.Start):
        limit = f" with limit {signal.limit}{', paused' if signal.paused else ''}"
    return f"{signal.action} {_named(signal)}{limit}"


async def _publish(
    settings: Mapping[str, Setting], dsn: str, signal: Any, node: str | None, wait: float | None
) -> tuple[list[str], bool, bool]:
    """Send the signal; return which queues don't show it in time, where somebody waits, and whether it concerns any.

    The last value is whether this command could hear what nodes answer.
    """
    name = settings["name"].value
    payload = signals.to_payload(signal, signals.ANY if node is None else signals.ident(name, node))
    async with open_engine(settings, dsn) as engine:
        notifier = _notifier(settings, dsn, engine)
        before = await engine.live_producers()
        runs = bool(concerned(signal, name, node, before))
        if wait is None:
            await notifier.notify(channels.SIGNAL, payload)
            return [], runs, True
        async with census(notifier) as asking:
            await notifier.notify(channels.SIGNAL, payload)
            late = await _wait(engine, asking, signal, name, node, wait)
        return late, runs, not late or await hears_itself(_notifier(settings, dsn, engine))


async def _wait(engine: Engine, asking: Census, signal: Any, name: str, node: str | None, wait: float) -> list[str]:
    deadline = time.monotonic() + wait
    while True:
        producers = await engine.live_producers()
        states = await asking.ask({each.uuid for each in producers}, _ANSWER)
        late = laggards(signal, name, node, producers, states)
        if not late or time.monotonic() >= deadline:
            return late
        await asyncio.sleep(_LOOK)
