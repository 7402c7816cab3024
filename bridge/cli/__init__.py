"""The command `bridge`: one module a group of commands."""

from __future__ import annotations

from pathlib import Path

from bridge.cli import failures, handover, streams

__all__ = ["main"]


def main() -> None:
    """Run the command line, or the node that it has become; an error is one line, and exit status 1."""
    streams.open_missing()
    with failures.told():
        order = handover.take_order()
        if order is None:
            from bridge.cli.main import app  # noqa: PLC0415 - a node has no use for all that parses command lines

            app(obj=handover.PROCESS)
        else:
            from bridge.cli import node  # noqa: PLC0415 - the other way round

            node.run(node.prepare(order.arguments, Path(order.file) if order.file else None), wait=order.wait)
