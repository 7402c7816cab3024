"""A row is data: nothing that stands in one is imported, evaluated, unpickled, or allowed to take all memory."""

import ast
import asyncio
import base64
import json
import pickle
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import pytest
from cli.rig import Commands
from queues.conftest import ends, gate, worker
from queues.rig import insert_row, row_of, until

import bridge
from bridge import Job
from bridge.codecs import etf
from bridge.codecs.recorded import decode_recorded
from bridge.errors import BridgeError, DecodeError
from bridge.jobs import Registry

__all__ = ["ends", "gate", "worker"]

NAMES = (
    "os:system", "os.system", "builtins.eval", "builtins:exec", "subprocess.Popen", "antigravity", "this", "this.s",
    "bridge.cli.main.main", "__main__", "..", "W\x00", "W; import os", "Elixir.System.halt", "pickle.loads",
    "%s" * 9, "{0.__class__}",
)  # fmt: skip


class Evil:
    def __reduce__(self):
        return (exec, ("import sys; sys.unpickled = True",))


PICKLE = base64.b64encode(pickle.dumps(Evil())).decode()

ARGS = (
    {"__class__": "os.system", "__init__": {}, "__reduce__": ["os.system", ["true"]]},
    {"py/object": "subprocess.Popen", "py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["true"]}]},
    {"$type": "System.Diagnostics.Process", "!!python/object/apply": "os.system"},
    {"__struct__": "Elixir.System", "__meta__": {"contract": "W@1"}},
    {"pickle": PICKLE, "job": "this", "self": 1, "cls": 2, "": 3},
)


# Workers' names, and args


@pytest.mark.parametrize("workers", ["known", "any"])
async def test_a_worker_s_name_is_looked_up_and_never_imported(start, registry, worker, ends, conn, workers):
    cls = worker(lambda _job: None)
    names = [name for name in NAMES if "\x00" not in name]
    ids = [await insert_row(conn, worker=name, max_attempts=1, queue="default") for name in names]
    before = set(sys.modules)
    oban = await start(queues={"default": {"limit": 5, "workers": workers}})
    await ends.of(await oban.enqueue(cls.new({})))
    wanted = {"available"} if workers == "known" else {"discarded"}

    async def settled():
        rows = await conn.fetch("select distinct state::text from oban_jobs where id = any($1)", ids)
        return {row["state"] for row in rows} == wanted

    await until(settled)
    assert not {"antigravity", "this"} & (set(sys.modules) - before)
    if workers == "any":
        for name, job_id in zip(names, ids, strict=True):
            assert f"unknown worker: {name}" in (await row_of(conn, job_id))["errors"][0]["error"]


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_finds_what_was_registered_and_nothing_else(name):
    with pytest.raises(BridgeError):
        Registry().resolve(name)


@pytest.mark.parametrize("args", ARGS, ids=lambda args: next(iter(args)))
async def test_args_arrive_as_plain_data(start, registry, worker, ends, conn, args):
    seen = []

    async def process(job):
        seen.append(job.args)

    cls = worker(process)
    oban = await start(queues={"default": 1})
    await ends.of(await oban.enqueue(cls.new(args)))
    assert seen == [args]
    assert type(seen[0]) is dict
    assert not hasattr(sys, "unpickled")


async def test_a_function_s_worker_takes_its_own_arguments_alone(start, registry, ends, conn):
    from bridge import job
    from bridge.jobs import registry as default_registry

    @job(name="security.tests.add")
    def add(a, b=1):
        return a + b

    try:
        oban = await start(queues={"default": 1}, registry=default_registry)
        for args in ({"a": 1, "self": 2}, {"a": 1, "__class__": 1}, {"a": 1, "oban": 2}):
            job_id = await insert_row(conn, worker="security.tests.add", args=json.dumps(args), max_attempts=1)
            await oban.resume_queue("default")

            async def ended(job_id=job_id):
                return await conn.fetchval("select state::text from oban_jobs where id = $1", job_id) == "discarded"

            await until(ended)
            assert "unexpected keyword" in (await row_of(conn, job_id))["errors"][0]["error"]
    finally:
        default_registry.unregister(add.worker)


# Recorded results


def term(body):
    return b"\x83" + body


def text_of(data):
    return base64.b64encode(data).decode().rstrip("=")


def atom(name):
    return b"w" + bytes([len(name)]) + name


BOMB = zlib.compress(b"m" + struct.pack("!I", 200_000_000) + bytes(200_000_000), 9)

TERMS = {
    "a fun of a module": term(b"q" + atom(b"os") + atom(b"system") + b"a\x01"),
    "an old fun": term(b"u" + bytes(40)),
    "a new fun": term(b"p" + struct.pack("!I", 60) + bytes(56)),
    "a pid": term(b"X" + atom(b"n@h") + bytes(12)),
    "a struct of Python's": term(b"t\x00\x00\x00\x01" + atom(b"__struct__") + atom(b"os.system")),
    "a pickle": pickle.dumps(Evil()),
    "a pickle as a binary": term(b"m" + struct.pack("!I", len(pickle.dumps(Evil()))) + pickle.dumps(Evil())),
    "100,000 atoms": term(
        b"l" + struct.pack("!I", 100_000) + b"".join(atom(b"a%d" % n) for n in range(100_000)) + b"j"
    ),
    "an integer of 2 GB": term(b"o" + struct.pack("!I", 2**31 - 1) + b"\x00\x01"),
    "an integer of 1 MB": term(b"o" + struct.pack("!I", 1_000_000) + b"\x00" + b"\xff" * 1_000_000),
    "a list of 4 G": term(b"l" + struct.pack("!I", 2**32 - 1) + b"a\x01"),
    "a tuple of 4 G": term(b"i" + struct.pack("!I", 2**32 - 1)),
    "a map of 4 G": term(b"t" + struct.pack("!I", 2**32 - 1)),
    "a binary of 4 G": term(b"m" + struct.pack("!I", 2**32 - 1) + b"x"),
    "a million levels": term(b"l\x00\x00\x00\x01" * 1_000_000 + b"j"),
    "a bomb": term(b"P" + struct.pack("!I", 200_000_005) + BOMB),
    "a bomb that lies": term(b"P" + struct.pack("!I", 10) + BOMB),
    "a bomb in a bomb": term(b"P" + struct.pack("!I", 50) + zlib.compress(term(b"P" + struct.pack("!I", 9) + BOMB))),
    "nothing": b"",
    "another version": b"\x84j",
}


@pytest.mark.parametrize("name", TERMS)
def test_a_hostile_term_is_data_or_an_error_within_bounds(name):
    tracemalloc.start()
    try:
        found = decode_recorded(text_of(TERMS[name]))
    except DecodeError:
        found = None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150_000_000
    assert not callable(found)
    assert not hasattr(sys, "unpickled")


def test_a_fun_is_opaque_and_can_not_be_called():
    fun = etf.decode(TERMS["a fun of a module"])
    assert isinstance(fun, etf.Opaque | etf.Fun)
    assert not callable(fun)


def test_the_portable_profile_writes_no_atom_that_a_beam_would_have_to_make():
    data = etf.encode({"os": ["a", True, None, 1.5, {"b": 2}]}, "portable")
    names = {data[at + 2 : at + 2 + data[at + 1]] for at in range(1, len(data) - 1) if data[at : at + 1] == b"w"}
    assert names <= {b"true", b"nil", b"false"}


FORGED = {
    "a number": {"recorded": True, "return": 5},
    "none": {"recorded": True},
    "a list": {"recorded": True, "return": [1]},
    "no base64": {"recorded": True, "return": "%%%"},
    "a pickle": {"recorded": True, "return": PICKLE},
    "a bomb": {"recorded": True, "return": text_of(TERMS["a bomb"])},
    "another's": {"recorded": {"to": "x"}, "return": {"__class__": "os"}},
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_result_is_an_error_of_ours_and_the_row_stays_readable(start, conn, name, tmp_path, installed):
    oban = await start()
    job_id = await insert_row(conn, state="completed", meta=json.dumps(FORGED[name]))
    job = await oban.get_job(job_id)
    with pytest.raises((BridgeError, ValueError, LookupError)):
        await oban.fetch_result(job)
    for command in (["jobs", "show", str(job_id)], ["jobs", "list"]):
        told = await Commands(installed, tmp_path).run(*command)
        assert told.exit_code == 0
    assert not hasattr(sys, "unpickled")


async def test_a_fun_that_was_recorded_is_data(start, conn):
    oban = await start()
    job_id = await insert_row(
        conn, state="completed", meta=json.dumps({"recorded": True, "return": text_of(TERMS["a fun of a module"])})
    )
    assert not callable(await oban.fetch_result(await oban.get_job(job_id)))


# The package itself

#: Where Python's own source is made, from schemas of the project, never from rows.
GENERATES = {"contracts/runtime/fast.py"}

#: Where modules are imported by name: those that settings name, those that a contract's generated module lies beside,
#: and Bridge's own that know a library, by a table of ours.
IMPORTS = {
    "cli/imports.py", "oban/child.py", "contracts/runtime/classes.py", "adapters/adapt.py", "adapters/django.py",
}  # fmt: skip

IMPORTERS = {"import_module", "__import__", "run_module", "run_path", "exec_module", "load_module"}


def called(tree):
    """What a module names, to be called here or elsewhere, as it is named where it came from: `f` for `f as g`, too."""
    aliases = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield aliases.get(node.id, node.id)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def imported(tree):
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (each.partition(".")[0] for each in modules)


def test_nothing_in_the_package_unpickles_or_evaluates():
    root = Path(bridge.__file__).parent
    used, imports = set(), set()
    for path in root.rglob("*.py"):
        if "testing" in path.parts:
            continue
        name = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = set(called(tree))
        if {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"} & set(imported(tree)):
            used.add(name)
        if {"eval", "exec"} & names:
            used.add(name)
        if IMPORTERS & names:
            imports.add(name)
    assert used <= GENERATES
    assert imports == IMPORTS


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(name)",
        "from importlib import import_module as load\nload(name)",
        "import importlib as i\nlist(map(i.import_module, names))",
        "__import__(name)",
    ],
)
def test_no_way_of_importing_by_name_is_overlooked(text):
    assert IMPORTERS & set(called(ast.parse(text)))


async def test_a_child_gets_no_pickle_either(start):
    """What crosses the pipe to other processes is msgpack of declared types."""
    from bridge.queues.processes.messages import Columns
    from bridge.queues.processes.wire import frame

    data = frame(Columns.of(Job.from_row({
        "id": 1, "state": "executing", "queue": "a", "worker": "os:system", "args": json.dumps(ARGS[0]), "meta": "{}",
        "tags": [], "errors": None, "attempt": 1, "max_attempts": 1, "priority": 0, "attempted_by": ["a", "b"],
        "inserted_at": None, "scheduled_at": None, "attempted_at": None, "completed_at": None, "cancelled_at": None,
        "discarded_at": None,
    })))  # fmt: skip
    with pytest.raises(Exception):  # noqa: B017, PT011 - it is anything but a pickle
        pickle.loads(data)
    await asyncio.sleep(0)
