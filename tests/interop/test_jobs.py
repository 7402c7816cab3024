"""Jobs cross both ways, with every column as Oban's protocol has it."""

import unicodedata

import pytest

from bridge import Job

from .conftest import ELIXIR, done
from .crossings import in_elixir, in_python, insert, into_elixir, into_python
from .rows import RECENT, check, error, ran_by

SHARED = {"queues": {"elixir": 10, "elixir_one": 1}}

#: As given, and as both languages store them.
TAGS = [" Foo ", "BAR", "foo", "", "\t", "12", "ÀÉ İ", "ẞ", "ΟΔΟΣ", "\u3000x\u00a0", "\x1fy", "a b", "Ω"]
STORED_TAGS = ["foo", "bar", "12", "àé i̇", "ß", "οδοσ", "x", "\x1fy", "a b", "ω"]
META = {"trace": "é✓", "nested": {"list": [1, 2.5, None, {"deep": True}]}, "empty": {}, "big": 10**30}


@pytest.mark.item("jobs: single")
async def test_a_job_from_python_runs_in_elixir(shared, python):
    py = await python(shared.at, queues={})

    job, given, row = await into_elixir(shared, py, args={"a": 1})

    assert (job.state, given["args"], given["attempt"]) == ("available", {"a": 1}, 1)
    check(row, **in_elixir(args={"a": 1}))


@pytest.mark.item("jobs: single")
async def test_a_job_from_elixir_runs_in_python(shared, python):
    py = await python(shared.at)

    fields, given, row = await into_python(shared, py, {"a": 1})

    assert (fields["state"], given.args, given.attempt) == ("available", {"a": 1}, 1)
    check(row, **in_python(args={"a": 1}))


@pytest.mark.item("jobs: single")
async def test_a_waiting_row_is_the_same_whoever_inserted_it(shared, python):
    py = await python(shared.at, queues={})

    job = await py.oban.enqueue(Job("Some.Worker", queue="nobodys", args={"a": 1}))
    fields = await insert(shared.ex, "Some.Worker", {"a": 1}, queue="nobodys")

    for number in (job.id, fields["id"]):
        check(await shared.at.row(number), worker="Some.Worker", queue="nobodys", args={"a": 1})


@pytest.mark.item("jobs: all options")
async def test_every_option_of_python_arrives_in_elixir(shared, python):
    py = await python(shared.at, queues={})

    _, given, row = await into_elixir(shared, py, args={"a": 1}, priority=7, max_attempts=3, tags=["X"], meta=META)

    assert (given["priority"], given["tags"], given["meta"]) == (7, ["x"], META)
    check(row, **in_elixir(args={"a": 1}, priority=7, max_attempts=3, tags=["x"], meta=META))


@pytest.mark.item("jobs: all options")
async def test_every_option_of_elixir_arrives_in_python(shared, python):
    py = await python(shared.at)
    options = {"priority": 7, "max_attempts": 3, "tags": ["X"], "meta": META}

    _, given, row = await into_python(shared, py, {"a": 1}, **options)

    assert (given.priority, given.max_attempts, given.tags, given.meta) == (7, 3, ["x"], META)
    check(row, **in_python(args={"a": 1}, priority=7, max_attempts=3, tags=["x"], meta=META))


@pytest.mark.item("jobs: tags")
async def test_python_stores_tags_as_elixir_does_and_elixir_reads_them(shared, python):
    py = await python(shared.at, queues={})

    _, given, row = await into_elixir(shared, py, tags=TAGS)

    assert given["tags"] == STORED_TAGS
    check(row, **in_elixir(tags=STORED_TAGS))


@pytest.mark.item("jobs: tags")
async def test_elixir_stores_tags_as_python_does_and_python_reads_them(shared, python):
    py = await python(shared.at)

    _, given, row = await into_python(shared, py, tags=TAGS)

    assert given.tags == STORED_TAGS
    check(row, **in_python(tags=STORED_TAGS))


@pytest.mark.item("jobs: tags")
async def test_both_languages_trim_and_lower_every_character_alike(shared):
    """Of Unicode 3.2, which every release of both languages knows."""
    known = unicodedata.ucd_3_2_0.category
    letters = [letter for letter in map(chr, range(1, 0x1_0000)) if known(letter) not in ("Cn", "Cs")]
    tags = [*letters, *(f"{letter}b" for letter in letters)]
    code = 'for tag <- tags, do: Ecto.Changeset.get_field(Oban.Job.new(%{}, worker: "W", tags: [tag]), :tags)'

    theirs = await shared.ex.rpc(code, tags=tags)

    assert len(tags) > 100_000
    assert [tag for tag, its in zip(tags, theirs, strict=True) if Job("W", tags=[tag]).tags != its] == []


@pytest.mark.item("jobs: priority order")
async def test_elixir_runs_jobs_of_python_by_priority_then_time_then_id(shared, python):
    py = await python(shared.at, queues={})
    priorities = [9, 0, 5, 3, 0, 9, 1]

    jobs = await py.oban.enqueue_many(Job("Interop.Ok", queue="elixir_one", priority=each) for each in priorities)
    await done(shared.ex, jobs[5].id)

    wanted = [jobs[place] for place in (1, 4, 6, 3, 2, 0, 5)]
    assert await _in_the_order_of_their_starts(shared.at, jobs) == [job.id for job in wanted]
    for job in jobs:
        check(await shared.at.row(job.id), **in_elixir(queue="elixir_one", priority=job.priority))


@pytest.mark.item("jobs: priority order")
async def test_python_runs_jobs_of_elixir_by_priority_then_time_then_id(shared, python):
    py = await python(shared.at, queues={"python_one": 1})
    priorities = [9, 0, 5, 3, 0, 9, 1]
    jobs = [["interop.Ok", {}, {"queue": "python_one", "priority": each}] for each in priorities]

    numbers = await shared.ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=jobs)
    ends = await py.ends.first(len(jobs))

    wanted = [numbers[place] for place in (1, 4, 6, 3, 2, 0, 5)]
    assert [event.job.id for event in ends] == wanted
    for number, each in zip(numbers, priorities, strict=True):
        check(await shared.at.row(number), **in_python(queue="python_one", priority=each))


async def _in_the_order_of_their_starts(at, jobs):
    rows = [await at.row(job.id) for job in jobs]
    return [row["id"] for row in sorted(rows, key=lambda row: row["attempted_at"])]


@pytest.mark.item("jobs: unknown worker")
@pytest.mark.parametrize(
    ("worker", "told"), [("nobody.Knows", "unknown worker: nobody.Knows"), ("Enum", "module is not a worker: Enum")]
)
async def test_a_worker_that_elixir_does_not_know_burns_an_attempt_there(shared, python, worker, told):
    py = await python(shared.at, queues={})

    job = await py.oban.enqueue(Job(worker, queue="elixir"))
    await done(shared.ex, job.id)

    row = await shared.at.row(job.id)
    check(
        row,
        worker=worker,
        queue="elixir",
        state="retryable",
        attempt=1,
        attempted_by=ran_by(ELIXIR),
        attempted_at=RECENT,
        scheduled_at=row["scheduled_at"],
        errors=[error(1, rf"\*\* \(RuntimeError\) {told}.*")],
    )
    assert 15 <= (row["scheduled_at"] - row["attempted_at"]).total_seconds() <= 20
    assert (await py.oban.get_job(job.id)).errors[0]["error"].startswith(f"** (RuntimeError) {told}")


@pytest.mark.item("jobs: unknown worker")
async def test_a_worker_that_python_does_not_know_is_left_alone(shared, python):
    py = await python(shared.at)

    unknown = await insert(shared.ex, "Nobody.Knows", {"a": 1}, queue="python")
    _, _, known = await into_python(shared, py)

    assert known["id"] > unknown["id"]  # so Python has fetched since
    check(await shared.at.row(unknown["id"]), worker="Nobody.Knows", queue="python", args={"a": 1})


@pytest.mark.item("jobs: unknown worker")
async def test_where_python_is_told_to_take_any_it_burns_an_attempt_as_elixir_does(shared, python):
    py = await python(shared.at, queues={"any": {"limit": 5, "workers": "any"}})

    unknown = await insert(shared.ex, "Nobody.Knows", queue="any")
    await py.ends.next()

    row = await shared.at.row(unknown["id"])
    assert (row["state"], row["attempt"]) == ("retryable", 1)
    (entry,) = row["errors"]
    assert entry == error(1, r"\*\* \(\S+\) .*Nobody\.Knows.*")
    elixir = await shared.ex.rpc("Interop.job(id)", id=unknown["id"])
    assert elixir["errors"] == [entry]
