"""Runs a page's blocks in this process, in the working folder: `python run_page.py PAGE`.

A process a page, because workers, handlers and imported modules would meet those of other pages.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import asyncpg

from guides.console import Shell, read_commands
from guides.page import Block, read_blocks


class Page:
    """The blocks' common ground: a folder, a namespace, a shell, a database."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._names: dict[str, Any] = {"__name__": "page"}

    async def run(self, block: Block) -> None:
        """Run one block."""
        if block.file is not None and block.language != "console":
            _save(block.file, block.code)
        match block.language:
            case "python" if block.file is not None and block.save is None:
                self._import(block.file)
            case "python":
                await self._execute(block)
            case "console":
                for command in read_commands(block.code):
                    await self._shell.run(command)
            case "toml":
                tomllib.loads(block.code)
            case "json":
                json.loads(block.code)
            case "sql":
                await _run_sql(block.code)

    def _import(self, file: str) -> None:
        name = file.removesuffix(".py")
        importlib.invalidate_caches()
        module = importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)
        self._names |= {key: value for key, value in vars(module).items() if not key.startswith("__")}

    async def _execute(self, block: Block) -> None:
        padded = "\n" * block.line + block.code  # so that a traceback names the page's own lines
        code = compile(padded, sys.argv[1], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        found = eval(code, self._names)
        if inspect.iscoroutine(found):
            await found


async def _run_sql(code: str) -> None:
    conn = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        await conn.execute(code)
    finally:
        await conn.close()


def _save(file: str, code: str) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(code, encoding="utf-8")


async def main(blocks: list[Block]) -> None:
    """Run the blocks of a page."""
    shell = await Shell.open(os.getcwd(), dict(os.environ))  # noqa: PTH109 - pathlib is taken for blocking here
    page = Page(shell)
    for block in blocks:
        if block.left_out is None:
            try:
                await page.run(block)
            except BaseException:
                print(f"line {block.line}: the {block.language} block fails", file=sys.stderr)
                raise
    await shell.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    asyncio.run(main(read_blocks(Path(sys.argv[1]).read_text(encoding="utf-8"))))
