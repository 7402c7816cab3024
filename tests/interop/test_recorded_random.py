"""Thousands of random values, recorded in one language and read in the other."""

import asyncio
import random

import pytest
from queues.rig import make_worker

from bridge import Job, Record
from bridge.codecs.etf import Atom, decode
from bridge.codecs.recorded import encode_recorded

from .endings import job_of
from .terms import NAMES, native, random_value, same

COUNT = 2_000
BATCH = 250
SEED = random.randrange(2**32)

#: The atoms in random values of Python; [:safe] wants them known.
ATOMS = [Atom(name) for name in (*NAMES, "Elixir.My.App", "a", "ünï")]


@pytest.mark.item("recorded: random values")
async def test_random_args_of_elixir_recorded_by_python_are_the_same_values_to_elixir(shared, python):
    py = await python(shared.at, queues={"python": 100})

    async def process(job):
        return Record(job.args["value"])

    make_worker(py.registry, process, "interop.Echo")
    numbers = await shared.ex.rpc(
        """
        jobs = for value <- Interop.Random.plain(seed, count), do: ["interop.Echo", %{value: value}, [queue: :python]]
        for chunk <- Enum.chunk_every(jobs, 500), id <- Interop.insert_all(chunk), do: id
        """,
        seed=SEED,
        count=COUNT,
    )
    await asyncio.gather(*(py.ends.of(job_of(number)) for number in numbers))

    differing = await shared.ex.rpc(
        """
        require Ecto.Query
        jobs = Oban.Repo.all(Oban.config(), Ecto.Query.where(Oban.Job, worker: "interop.Echo"))
        differing = for job <- jobs, Interop.Recorder.read_text(job.meta["return"]) !== job.args["value"], do: job.args
        {length(jobs), differing}
        """
    )

    assert differing == (COUNT, []), f"seed {SEED}"


@pytest.mark.item("recorded: random values")
async def test_random_terms_of_elixir_are_the_same_terms_after_python_has_read_them(shared, python):
    py = await python(shared.at, queues={})
    numbers = await shared.ex.rpc(
        """
        terms = Interop.Random.terms(seed, count)
        Interop.Recorder.keep(seed, terms)
        options = [[], ["compressed"], [["minor_version", 1]], [["minor_version", 2]]]
        texts = for term <- terms, do: Interop.Recorder.text(term, Enum.random(options), Enum.random([true, false]))
        Interop.Recorder.insert(texts, [])
        """,
        seed=SEED,
        count=COUNT,
    )

    results = []
    for start in range(0, COUNT, BATCH):
        results += await asyncio.gather(*map(py.oban.fetch_result, numbers[start : start + BATCH]))

    equal = await shared.ex.rpc(
        """
        kept = :persistent_term.get({Interop.Recorder, seed})
        for {term, binary} <- Enum.zip(kept, binaries), do: term === :erlang.binary_to_term(binary)
        """,
        seed=SEED,
        binaries=[native(result) for result in results],
    )
    assert len(equal) == COUNT
    assert [result for result, is_equal in zip(results, equal, strict=True) if not is_equal] == [], f"seed {SEED}"


@pytest.mark.item("recorded: random values")
async def test_random_values_of_python_are_the_same_values_after_elixir_has_read_them(shared, python):
    py = await python(shared.at, queues={})
    rng = random.Random(SEED)
    values = [random_value(rng) for _ in range(COUNT)]
    metas = ({"recorded": True, "return": encode_recorded(value, profile="native")} for value in values)
    jobs = await py.oban.enqueue_many([Job("interop.Ok", queue="nobody", meta=meta) for meta in metas])

    rewritten = await shared.ex.rpc(
        # The binding `atoms` made them known.
        "true = Enum.all?(atoms, &is_atom/1); for id <- ids, do: :erlang.term_to_binary(Interop.Recorder.read(id))",
        atoms=ATOMS,
        ids=[job.id for job in jobs],
    )

    differing = [
        value for value, binary in zip(values, rewritten, strict=True) if not same(decode(_bytes(binary)), value)
    ]
    assert differing == [], f"seed {SEED}"


def _bytes(binary):
    # A binary that is UTF-8 comes as text.
    return binary.encode() if isinstance(binary, str) else binary
