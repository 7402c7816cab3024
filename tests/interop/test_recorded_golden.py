"""Every term that OTP wrote down: recorded in Python, and read by a node that has never seen its atoms."""

import asyncio
import functools
import uuid

import pytest
from queues.rig import make_worker

from bridge import Job, Record
from bridge.codecs import etf
from bridge.codecs.recorded import encode_recorded
from bridge.testing.interop import ElixirNode

from .conftest import PYTHON, node_options
from .endings import DELAYS, check_ended, in_python, job_of, read_alike
from .rows import error
from .terms import GOLDEN, PORTABLE, REFUSED

VALUES = {label: etf.decode(data) for label, data in GOLDEN.items()}

#: What no golden term is: large, long and deep.
LARGE = {
    "text": ("ab" * 500_000, 'String.duplicate("ab", 500_000)'),
    "rows": ([{"n": number} for number in range(5000)], 'for n <- 0..4999, do: %{"n" => n}'),
    "deep": (
        functools.reduce(lambda inner, _: [inner], range(250), None),
        "Enum.reduce(1..250, nil, fn _, inner -> [inner] end)",
    ),
    "keys": ({f"ключ {number}": number for number in range(100)}, 'Map.new(0..99, &{"ключ #{&1}", &1})'),
    "floats": ([0.1, 1e22, 5e-324, -0.5], "[0.1, 1.0e22, 5.0e-324, -0.5]"),
}

# The texts are read before any expectation is evaluated: that makes the atoms in it known.
READ = """
terms =
  for id <- ids do
    %{"recorded" => true, "return" => text} = Oban.Repo.get!(Oban.config(), Oban.Job, id).meta
    :erlang.binary_to_term(Base.decode64!(text, padding: false), [:safe])
  end

for {term, source} <- Enum.zip(terms, expected), do: term === elem(Code.eval_string(source), 0)
"""
KNOWN = "try do is_atom(String.to_existing_atom(name)) rescue ArgumentError -> false end"


@pytest.fixture(scope="module")
def fresh(shared_node, elixir_runner):
    """A node that has been told nothing: it runs no queue and has none of the tests' modules."""
    options = {**node_options(shared_node.place, node="ex@host-fresh", queues={}), "load": [], "ready": "true"}
    with ElixirNode(elixir_runner, **options) as node:
        yield node


async def recorded(shared, py, values):
    """Have Python record values by name, in jobs that Elixir enqueued; returns the jobs' ids."""

    async def process(job):
        return Record(values[job.args["name"]])

    make_worker(py.registry, process, "interop.Golden")
    jobs = [["interop.Golden", {"name": name}, {"queue": "python"}] for name in values]
    numbers = await shared.ex.rpc("Interop.insert_all(jobs)", jobs=jobs)
    await asyncio.gather(*(py.ends.of(job_of(number)) for number in numbers))
    return numbers


@pytest.mark.item("recorded: golden terms, read with [:safe] on a fresh node")
async def test_what_python_records_is_read_by_a_fresh_node(shared, python, fresh):
    py = await python(shared.at)
    values = {label: VALUES[label] for label in PORTABLE} | {name: value for name, (value, _) in LARGE.items()}
    expected = PORTABLE | {name: source for name, (_, source) in LARGE.items()}
    numbers = await recorded(shared, py, values)

    equal = await fresh.rpc(READ, ids=numbers, expected=list(expected.values()))

    assert dict(zip(expected, equal, strict=True)) == dict.fromkeys(expected, True)


@pytest.mark.item("recorded: golden terms, read with [:safe] on a fresh node")
async def test_reading_a_record_makes_no_atom_known_and_needs_none(shared, python, fresh):
    name = f"nobody_knows_{uuid.uuid4().hex}"
    value = {name: [etf.Atom(name), {name: {"deep": None}}, (True, False)]}
    py = await python(shared.at)
    (number,) = await recorded(shared, py, {"unknown": value})
    assert await fresh.rpc(KNOWN, name=name) is False

    expected = f'%{{"{name}" => ["{name}", %{{"{name}" => %{{"deep" => nil}}}}, [true, false]]}}'
    assert await fresh.rpc(READ, ids=[number], expected=[expected]) == [True]

    assert await fresh.rpc(KNOWN, name=name) is False
    refused = await fresh.rpc(
        "try do :erlang.binary_to_term(Base.decode64!(text, padding: false), [:safe]) rescue ArgumentError -> 0 end",
        text=encode_recorded(value, profile="native"),
    )
    assert refused == 0  # So the node is a fresh one, and the native profile is not for it.


@pytest.mark.item("recorded: golden terms, read with [:safe] on a fresh node")
@pytest.mark.parametrize("label", REFUSED)
async def test_what_not_every_node_could_read_fails_the_job_and_elixir_reads_why(shared, python, label):
    py = await python(shared.at)
    (number,) = await recorded(shared, py, {label: VALUES[label]})

    await in_python(shared.at, py, number)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, number),
        "retryable",
        node=PYTHON,
        worker="interop.Golden",
        queue="python",
        args={"name": label},
        errors=[error(1, r"\*\* \(bridge\.errors\.EncodeError\) result: expected .+, got .+; .*")],
        delay=DELAYS[1],
    )


@pytest.mark.item("recorded: golden terms, of the native profile")
async def test_what_the_native_profile_writes_is_the_very_term(shared, python):
    py = await python(shared.at, queues={})
    jobs = [
        Job("interop.Ok", queue="nobody", meta={"recorded": True, "return": encode_recorded(value, profile="native")})
        for value in VALUES.values()
    ]
    jobs = await py.oban.enqueue_many(jobs)

    equal = await shared.ex.rpc(
        # Their atoms are known from here on.
        "terms = for data <- golden, do: :erlang.binary_to_term(data);"
        "for {id, term} <- Enum.zip(ids, terms), do: Interop.Recorder.read(id) === term",
        ids=[job.id for job in jobs],
        golden=list(GOLDEN.values()),
    )

    assert dict(zip(GOLDEN, equal, strict=True)) == dict.fromkeys(GOLDEN, True)
