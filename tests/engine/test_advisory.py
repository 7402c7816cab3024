"""Which locks unique jobs take, and in which order."""

from bridge.engine import inserts
from bridge.engine.advisory import FINE, GROUP, IDENTITY, MIXED, locks_of
from bridge.engine.candidates import find_candidates
from bridge.engine.schema import Catalog
from bridge.jobs import Job

CATALOG = Catalog("public", True, 14, states=("available", "scheduled", "suspended"))


def locks(*jobs, alone=True, prefix="public"):
    rows = inserts.insert_rows(jobs, CATALOG)
    return locks_of(find_candidates(jobs, rows).values(), prefix, alone=alone)


def make(number=1, worker="W", unique=True, **options):
    return Job(worker, args={"id": number}, unique=unique, **options)


def spaces(found):
    return [(lock.space, lock.shared) for lock in found]


def test_one_job_shares_its_groups_lock_and_has_its_own():
    assert spaces(locks(make())) == [(GROUP, True), (IDENTITY, False)]


def test_jobs_that_are_the_same_take_the_same():
    first = locks(Job("W", args={"a": [1, 2], "b": {"c": 1}}, unique=True, priority=1))

    assert first == locks(Job("W", args={"b": {"c": 1.0}, "a": [2, 1, 2]}, unique=True, schedule_in=5))
    assert first == locks(Job("W", args={"a": [1, 2], "b": {"c": 1}}, unique={"period": 9, "states": "all"}))
    assert first != locks(Job("W", args={"a": [1, 2], "b": {"c": 2}}, unique=True))
    assert first != locks(Job("W", args={"a": [1, 2], "b": {"c": 1}}, unique={"keys": ["a"]}))


def test_schemas_are_apart():
    assert {*locks(make())}.isdisjoint(locks(make(), prefix="other"))


def test_any_number_that_are_the_same_take_one():
    assert locks(*[make() for _ in range(500)]) == locks(make())


def test_few_are_locked_in_one_order_and_many_by_their_group_alone():
    few = locks(*map(make, range(FINE)))

    assert spaces(few) == [(GROUP, True), *[(IDENTITY, False)] * FINE]
    assert few == sorted(few) == locks(*map(make, reversed(range(FINE))))
    assert spaces(locks(*map(make, range(FINE + 1)))) == [(GROUP, False)]


def test_what_spans_groups_or_statements_has_a_lock_before_all_others():
    mixed = locks(*(make(number, worker) for number in range(5) for worker in "ABC"))

    assert spaces(mixed) == [(MIXED, False), *[(GROUP, True)] * 3, *[(IDENTITY, False)] * 15]
    assert mixed == sorted(mixed)
    assert spaces(locks(make(), alone=False)) == [(MIXED, False), (GROUP, False)]


def test_no_call_takes_more_than_postgresql_has_room_for():
    many = locks(*(make(number, f"worker {number}") for number in range(4_999)))

    assert len(many) <= 1 + 1_024
