"""The roles of docs/roles.md, made by the statements that stand there, under names of this test's own."""

import itertools
import os
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
from cli.rig import Commands
from guides.page import ROOT, read_blocks

from bridge.engine.schema import install, install_own, quote_ident

from .roles import engine_of

_numbers = itertools.count()

NAMES = ("app_owner", "app_worker", "app_enqueuer", "app_reader", "app_runner")


def page_sql():
    """The page's statements by the comment with which each block begins."""
    page = (ROOT / "docs" / "roles.md").read_text(encoding="utf-8")
    blocks = [block.code for block in read_blocks(page) if block.language == "sql"]
    return {found[1]: code for code in blocks if (found := re.match(r"-- (\w+)\n", code))}


@dataclass(frozen=True)
class Roles:
    """A database whose tables belong to the page's owner; each role's name and DSN."""

    admin: asyncpg.Connection
    prefix: str
    names: dict[str, str]
    dsns: dict[str, str]

    async def execute(self, statement):
        """Run a statement of the page's kind as the administrator, with the names of this test."""
        await self.admin.execute(self.own(statement))

    def own(self, statement):
        for name, mine in self.names.items():
            statement = statement.replace(name, mine)
        return re.sub(r"\bjobs\b", lambda _: quote_ident(self.prefix), statement)

    @property
    def schema(self):
        return quote_ident(self.prefix)


def dsn_for(dsn, role, password="change me"):
    """The same database by a role that logs in with a password."""
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}"))


@pytest.fixture
def prefix():
    return "jobs"


@pytest.fixture
async def roles(database, prefix):
    """The page's roles on a fresh database, with tables that the owner has installed."""
    number = f"{os.getpid()}_{next(_numbers)}"
    names = {name: f"{name}_{number}" for name in NAMES}
    admin = await asyncpg.connect(database)
    dsns = {
        name.removeprefix("app_"): dsn_for(database, mine, f"change me {place}")
        for place, (name, mine) in enumerate(names.items(), 1)
    }
    found = Roles(admin, prefix, names, dsns)
    statements = page_sql()
    try:
        await found.execute(statements["roles"])
        owner = await asyncpg.connect(dsns["owner"])
        await install(owner, prefix)
        await install_own(owner, prefix)
        await owner.close()
        for block in ("worker", "runner", "enqueuer", "reader"):
            await found.execute(statements[block])
        yield found
    finally:
        await admin.execute(f"drop schema if exists {quote_ident(prefix)} cascade")
        for mine in names.values():
            if await admin.fetchval("select exists (select from pg_roles where rolname = $1)", mine):
                await admin.execute(f"drop owned by {mine}; drop role {mine}")
        await admin.close()


@pytest.fixture
async def enqueuer(roles):
    """The statements of whoever only enqueues."""
    async with engine_of(roles.dsns["enqueuer"], roles.prefix) as engine:
        yield engine


@pytest.fixture
async def reader(roles):
    """The statements of whoever only reads."""
    async with engine_of(roles.dsns["reader"], roles.prefix) as engine:
        yield engine


@pytest.fixture
def bridge(roles, tmp_path):
    """Runs a command in the page's schema, as any role."""

    async def run(role, *command):
        return await Commands(roles.dsns[role], tmp_path).process(*command, BRIDGE_PREFIX=roles.prefix)

    return run
