"""The command `bridge`: one module a group of commands."""

from bridge.cli.main import main

__all__ = ["main"]
