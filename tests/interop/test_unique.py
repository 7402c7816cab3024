"""Unique jobs across languages: each one's insert finds what the other has stored, by the same rules."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from bridge import Job, SyncOban
from bridge.jobs.unique import GROUPS

from .crossings import insert
from .rows import about, check, now

SHARED = {"queues": {}}

_numbers = itertools.count(1)

ARGS = {"a": 1, "b": {"c": "x"}, "d": [1, 2]}
FOREVER = {"period": "infinity"}
HALF_A_MINUTE = {"period": 30}
BY_A, BY_Z = {**FOREVER, "keys": ["a"]}, {**FOREVER, "keys": ["z"]}
BY_A_AND_B = {**FOREVER, "keys": ["a", "b"]}


class Case:
    """Two inserts: what `stored` and `new` add to one job, what `aged` makes of the stored row, and the verdict."""

    def __init__(self, aspect, name, unique, *, stored=None, new=None, aged="", same):
        self.param = pytest.param(self, id=f"{aspect}: {name}", marks=pytest.mark.item(f"jobs: unique, {aspect}"))
        self.unique, self.aged, self.same = unique, aged, same
        self.stored, self.new = stored or {}, new or {}


def in_state(state):
    return f"state = '{state}'"


def ago(seconds):
    return f"inserted_at = inserted_at - interval '{seconds} s'"


CASES = [
    Case("fields", "all the same", FOREVER, same=True),
    Case("fields", "every default", True, same=True),
    Case("fields", "the order and repetition of items", FOREVER, new={"args": {**ARGS, "d": [2, 1, 1]}}, same=True),
    Case("fields", "an integer as a float", FOREVER, new={"args": {**ARGS, "a": 1.0}}, same=True),
    Case("fields", "other args", FOREVER, new={"args": {**ARGS, "a": 2}}, same=False),
    Case("fields", "more args", FOREVER, new={"args": {**ARGS, "e": None}}, same=False),
    Case("fields", "fewer args", FOREVER, new={"args": {"a": 1}}, same=False),
    Case("fields", "empty args, and others", FOREVER, new={"args": {}}, same=False),
    Case("fields", "empty args both", FOREVER, stored={"args": {}}, new={"args": {}}, same=True),
    Case("fields", "another worker", FOREVER, new={"worker": "Other"}, same=False),
    Case("fields", "another queue", FOREVER, new={"queue": "other"}, same=False),
    Case("fields", "meta doesn't count", FOREVER, new={"meta": {"m": 1}}, same=True),
    Case("fields", "tags and priority don't count", FOREVER, new={"tags": ["x"], "priority": 3}, same=True),
    Case("fields", "worker left out", {**FOREVER, "fields": ["args", "queue"]}, new={"worker": "Other"}, same=True),
    Case("fields", "queue left out", {**FOREVER, "fields": ["args", "worker"]}, new={"queue": "other"}, same=True),
    Case(
        "fields", "meta alone", {**FOREVER, "fields": ["meta", "worker"]},
        stored={"meta": {"m": [1, {"n": "é"}]}}, new={"meta": {"m": [{"n": "é"}, 1]}, "args": {}}, same=True,
    ),
    Case(
        "fields", "another meta", {**FOREVER, "fields": ["meta", "worker"]},
        stored={"meta": {"m": 1}}, new={"meta": {"m": 2}}, same=False,
    ),
    Case("keys", "one alike", BY_A, new={"args": {"a": 1, "z": 2}}, same=True),
    Case("keys", "one different", BY_A, new={"args": {**ARGS, "a": 2}}, same=False),
    Case("keys", "nested", {**FOREVER, "keys": ["b"]}, new={"args": {"b": {"c": "x"}}}, same=True),
    Case("keys", "two, of which one differs", BY_A_AND_B, new={"args": {"a": 1, "b": 2}}, same=False),
    Case("keys", "two, the new job has one", {**FOREVER, "keys": ["a", "z"]}, new={"args": {"a": 1}}, same=True),
    Case("keys", "which the new job lacks", BY_Z, new={"args": {"y": 1}}, same=False),
    Case("keys", "which an empty job lacks", BY_Z, stored={"args": {}}, new={"args": {}}, same=True),
    Case(
        "keys", "of meta", {**FOREVER, "fields": ["meta", "worker"], "keys": ["m"]},
        stored={"meta": {"m": 1, "n": 2}}, new={"meta": {"m": 1, "n": 3}}, same=True,
    ),
    Case("period", "within it", HALF_A_MINUTE, aged=ago(25), same=True),
    Case("period", "beyond it", HALF_A_MINUTE, aged=ago(31), same=False),
    Case("period", "a minute by default, within", {"keys": []}, aged=ago(50), same=True),
    Case("period", "a minute by default, beyond", {"keys": []}, aged=ago(61), same=False),
    Case("period", "forever", FOREVER, aged="inserted_at = '2001-01-01'", same=True),
    Case(
        "timestamp", "scheduled_at, within", {**HALF_A_MINUTE, "timestamp": "scheduled_at"},
        aged="inserted_at = '2001-01-01'", same=True,
    ),
    Case(
        "timestamp", "scheduled_at, beyond", {**HALF_A_MINUTE, "timestamp": "scheduled_at"},
        aged="scheduled_at = scheduled_at - interval '31 s'", same=False,
    ),
]  # fmt: skip


def for_elixir(unique, version):
    """The same options as this Oban takes them: groups came with 2.20, `unique: true` with 2.18."""
    if unique is True:
        return True if version >= (2, 18) else FOREVER
    group = unique.get("states")
    if not isinstance(group, str) or version >= (2, 20):
        return unique
    return {**unique, "states": [state for state in GROUPS[group] if state != "suspended"]}


class Sides:
    """Inserts by either language, of jobs that no other test's are the same as."""

    def __init__(self, shared, client, version):
        self._shared, self._client, self._version = shared, client, version
        number = next(_numbers)
        self.base = {"worker": f"W{number}", "queue": f"q{number}", "args": {**ARGS, "case": number}}

    def options(self, more):
        found = {**self.base, **more}
        if "args" in more:
            found["args"] = {**more["args"], "case": self.base["args"]["case"]} if more["args"] else {}
        return found

    async def python(self, **options):
        worker = options.pop("worker")
        job = await asyncio.to_thread(self._client.enqueue, Job(worker, **options))
        return job.id, job.conflict

    async def elixir(self, **options):
        if "unique" in options:
            options["unique"] = for_elixir(options["unique"], self._version)
        fields = await insert(self._shared.ex, options.pop("worker"), options.pop("args"), **options)
        return fields["id"], fields["conflict?"]

    async def age(self, number, change):
        await self._shared.at.conn.execute(f"update {self._shared.at.table} set {change} where id = $1", number)


@pytest.fixture(scope="module")
def client(shared_node):
    """Python's side of all tests: one for each would take most of their time."""
    with SyncOban(dsn=shared_node.place.dsn, prefix=shared_node.place.prefix) as found:
        yield found


@pytest.fixture
async def sides(shared, client, oban_version):
    return Sides(shared, client, oban_version[:2])


@pytest.mark.parametrize("case", [case.param for case in CASES])
@pytest.mark.parametrize(("first", "second"), [("elixir", "python"), ("python", "elixir")])
async def test_a_stored_job_is_the_same_by_the_rules_of_both(shared, sides, case, first, second):
    stored, new = sides.options(case.stored), sides.options(case.new)

    number, _ = await getattr(sides, first)(**stored)
    if case.aged:
        await sides.age(number, case.aged)
    before = await shared.at.row(number)
    found = await getattr(sides, second)(**new, unique=case.unique)

    assert await shared.at.row(number) == before
    if case.same:
        assert found == (number, True)
    else:
        assert found == (found[0], False)
        check(await shared.at.row(found[0]), **new)


WAITING = {"scheduled", "available", "executing", "retryable"}
STATES = [*sorted(WAITING), "suspended", "completed", "cancelled", "discarded"]


@pytest.mark.item("jobs: unique, states")
@pytest.mark.parametrize(
    ("states", "found"),
    [
        ({}, WAITING | {"suspended", "completed"}),
        ({"states": "successful"}, WAITING | {"suspended", "completed"}),
        ({"states": "incomplete"}, WAITING | {"suspended"}),
        ({"states": "scheduled"}, {"scheduled"}),
        ({"states": "all"}, set(STATES)),
        ({"states": ["available", "scheduled", "completed"]}, {"available", "scheduled", "completed"}),
    ],
    ids=["default", "successful", "incomplete", "scheduled", "all", "a list"],
)
@pytest.mark.parametrize(("first", "second"), [("elixir", "python"), ("python", "elixir")])
async def test_a_stored_job_counts_in_the_same_states_in_both(
    shared, sides, oban_version, states, found, first, second
):
    # Oban has had this state from 2.21 on, and its default list from 2.23 on.
    if second == "elixir" and oban_version < ((2, 21) if states else (2, 23)):
        found = found - {"suspended"}
    verdicts = {}

    for state in STATES:
        job = {**sides.base, "args": {"state": state, **sides.base["args"]}}
        number, _ = await getattr(sides, first)(**job)
        await sides.age(number, in_state(state))
        other, conflict = await getattr(sides, second)(**job, unique={**FOREVER, **states})
        assert (other == number) == conflict
        verdicts[state] = conflict

    assert {state for state in STATES if verdicts[state]} == found


@pytest.mark.item("jobs: unique, replace")
@pytest.mark.parametrize(("first", "second"), [("elixir", "python"), ("python", "elixir")])
async def test_what_is_replaced_is_the_same_in_both(shared, sides, first, second):
    columns = ["args", "max_attempts", "meta", "priority", "scheduled_at", "tags", "queue", "worker"]
    change = {"args": {"new": True}, "max_attempts": 3, "meta": {"m": 2}, "priority": 4, "tags": ["T"]}
    unique = {**FOREVER, "fields": ["meta", "queue"], "keys": ["id"]}
    meta = {"id": sides.base["queue"]}
    stored = sides.options({"meta": {**meta, "m": 1}, "schedule_in": 60, "tags": ["old"]})
    new = {**sides.base, **change, "meta": {**meta, "m": 2}, "worker": "New.Worker", "schedule_in": 120}

    number, _ = await getattr(sides, first)(**stored)
    later = now() + timedelta(seconds=120)
    found = await getattr(sides, second)(**new, unique=unique, replace={"scheduled": columns, "completed": ["args"]})

    assert found == (number, True)
    expected = {**change, "meta": new["meta"], "worker": "New.Worker", "queue": sides.base["queue"], "tags": ["t"]}
    check(await shared.at.row(number), state="scheduled", scheduled_at=about(later, 5), **expected)


@pytest.mark.item("jobs: unique, replace")
@pytest.mark.parametrize(("first", "second"), [("elixir", "python"), ("python", "elixir")])
async def test_what_the_new_job_leaves_at_its_default_stays_in_both(shared, sides, first, second):
    columns = ["args", "max_attempts", "meta", "priority", "tags"]
    stored = sides.options({"max_attempts": 3, "meta": {"m": 1}, "priority": 4, "tags": ["old"]})

    number, _ = await getattr(sides, first)(**stored)
    unique = {**FOREVER, "fields": ["queue", "worker", "args"], "keys": ["case"]}
    found = await getattr(sides, second)(**sides.options({"args": {"new": 1}}), unique=unique, replace=columns)

    assert found == (number, True)
    check(await shared.at.row(number), **{**stored, "args": {"new": 1, "case": sides.base["args"]["case"]}})


@pytest.mark.item("jobs: unique, replace")
@pytest.mark.parametrize(("first", "second"), [("elixir", "python"), ("python", "elixir")])
async def test_in_another_state_nothing_is_replaced_in_both(shared, sides, first, second):
    number, _ = await getattr(sides, first)(**sides.base)

    found = await getattr(sides, second)(
        **sides.options({"priority": 4}), unique=FOREVER, replace={"scheduled": ["priority"]}
    )

    assert found == (number, True)
    check(await shared.at.row(number), **sides.base)


@pytest.mark.item("jobs: unique, bulk")
async def test_many_of_python_find_those_of_elixir(shared, sides, python):
    py = await python(shared.at, queues={})
    queue = sides.base["queue"]
    numbers = [(await sides.elixir(worker="Many", queue=queue, args={"n": n}))[0] for n in range(5)]

    jobs = [Job("Many", queue=queue, args={"n": n % 10}, unique=FOREVER) for n in range(20)]
    found = await py.oban.enqueue_many(jobs)

    assert [job.id for job in found[:5]] == [job.id for job in found[10:15]] == numbers
    assert [job.conflict for job in found] == [True] * 5 + [False] * 5 + [True] * 10
    for job in found[:10]:
        check(await shared.at.row(job.id), worker="Many", queue=queue, args=job.args)
    assert await shared.at.conn.fetchval(f"select count(*) from {shared.at.table} where queue = $1", queue) == 10


@pytest.mark.item("jobs: unique, bulk")
async def test_insert_all_of_elixir_asks_for_no_uniqueness(shared, sides):
    """Oban's Basic engine ignores it; what it inserts is found by Python's next insert."""
    options = {"queue": sides.base["queue"], "unique": for_elixir(FOREVER, (2, 17))}
    number, _ = await sides.python(**sides.base)

    numbers = await shared.ex.rpc(
        "Interop.Jobs.insert_all(jobs)", jobs=[[sides.base["worker"], sides.base["args"], options]] * 2
    )

    assert len({number, *numbers}) == 3
    assert await sides.python(**sides.base, unique=FOREVER) in [(each, True) for each in (number, *numbers)]
