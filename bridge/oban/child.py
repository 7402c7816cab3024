"""The program of the processes that run an instance's jobs; `bridge.queues.processes` starts it.

It imports the workers and runs what it is sent. Jobs find an instance of the same name here, a client that connects
when a job first asks something of it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

from bridge.errors import printable
from bridge.jobs import registry
from bridge.oban.instance import Oban
from bridge.queues.loop import loop_factory
from bridge.queues.processes.logs import PipeHandler, send_logs
from bridge.queues.processes.messages import Broken, Setup
from bridge.queues.processes.serving import Server, live_with_parent
from bridge.queues.processes.tally import Tally
from bridge.queues.processes.wire import frame, receive
from bridge.telemetry.events import Instance


def main(arguments: Sequence[str]) -> None:
    """Run jobs for the parent at the other end of two sockets, whose numbers come last, with that of the tally."""
    files = [int(argument) for argument in arguments[-3:]]
    for file in files:
        os.set_inheritable(file, False)
    pipe, logs, tally = socket.socket(fileno=files[0]), socket.socket(fileno=files[1]), Tally(files[2])
    live_with_parent(logs)
    _print_whole_lines()
    try:
        setup: Setup = receive(pipe, Setup)
    except EOFError:
        return
    sys.path[:] = setup.path
    handler = PipeHandler(logs)
    send_logs(handler, setup.levels)
    _import_workers(setup, pipe)
    send_logs(handler, setup.levels)  # a module may have set up a log of its own
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(setup, pipe, tally, handler))


def _print_whole_lines() -> None:
    """Let what is printed be seen at once, and in whole lines: a process that is ended loses none."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # closed, or none at all
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # that is what is suppressed


def _import_workers(setup: Setup, pipe: socket.socket) -> None:
    for module in setup.modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # a SystemExit is as little a start as any other
            told = "".join(traceback.format_exception_only(error)).strip()
            trace = printable("".join(traceback.format_exception(error)))
            pipe.sendall(frame(Broken(f"it can't import {module}: {printable(told)}", trace)))
            raise SystemExit(1) from None


async def _serve(setup: Setup, pipe: socket.socket, tally: Tally, handler: PipeHandler) -> None:
    client = Oban(
        dsn=setup.dsn,
        name=setup.name,
        prefix=setup.prefix,
        node=setup.node,
        insert_trigger=setup.insert_trigger,
        pool_options=setup.pool_options,
        cron=False,
    )
    client._catalog = setup.catalog  # noqa: SLF001 - what the parent found out need not be asked again
    async with client:
        instance = Instance(setup.name, setup.prefix, setup.node)
        await Server(registry, instance, tally, handler.tell).serve(pipe)


if __name__ == "__main__":
    main(sys.argv[1:])
