"""The machine as the harness sees it: what it withholds does not count, and where it withholds nothing all counts."""

import time

import pytest

from . import promises
from .account import Account, joined
from .causes import Causes
from .faults import UNDER_WAY, Hit
from .ledger import Execution
from .machine import _CROWD, _LATE, _PERIOD, MACHINE, Limit, Machine, rest

#: A moment at which nobody looks.
BEGAN = 1_000.0

#: Looks, each after so many seconds at so many that could run for each processor: ten seconds of each sort.
QUIET = [(_PERIOD, _CROWD)] * 200
CROWDED = [(_PERIOD, 4 * _CROWD)] * 200


def machine(*looks):
    made = Machine()
    made._times.append(BEGAN)
    made._withheld.append(0.0)
    for seconds, crowd in looks:
        made.look(made._times[-1] + seconds, round(crowd * made._processors))
    return made


def test_a_machine_as_it_should_be_withholds_nothing():
    late = [(_PERIOD + 0.9 * _LATE, 0.0)] * 20
    quiet = machine(*QUIET, *late)
    assert quiet.withheld(BEGAN, quiet._times[-1]) == 0
    assert quiet.withheld(BEGAN, quiet._times[-1] + _PERIOD) == 0
    assert quiet.before(BEGAN + 9, 4) == BEGAN + 5


def test_a_machine_withholds_all_of_the_time_for_which_it_stands_still():
    still = machine(*QUIET, (2.0 + _PERIOD, 0.0), *QUIET)
    assert still.withheld(BEGAN, BEGAN + 10) == pytest.approx(0, abs=1e-6)
    assert still.withheld(BEGAN, BEGAN + 20) == pytest.approx(2.0)
    assert still.withheld(BEGAN + 5, BEGAN + 11 + _PERIOD / 2) == pytest.approx(1.0)
    assert still.before(BEGAN + 13, 2) == pytest.approx(BEGAN + 9, abs=_PERIOD)


def test_a_machine_that_stands_still_yet_has_withheld_what_passed_since_the_last_look():
    quiet = machine(*QUIET)
    assert quiet.withheld(BEGAN, BEGAN + 13) == pytest.approx(3 - _PERIOD)


def test_a_machine_withholds_what_more_than_two_for_each_processor_take_from_one():
    crowded = machine(*QUIET, *CROWDED)
    assert crowded.withheld(BEGAN, BEGAN + 20) == pytest.approx(7.5)
    assert crowded.before(BEGAN + 20, 2) == pytest.approx(BEGAN + 12, abs=_PERIOD)


def test_this_one_is_looked_at():
    MACHINE.watch()
    MACHINE.watch()
    began, looks = time.monotonic(), len(MACHINE._times)
    while len(MACHINE._times) < looks + 3:
        assert time.monotonic() < began + 30
        time.sleep(_PERIOD)
    assert 0 <= MACHINE.withheld(began, time.monotonic()) <= time.monotonic() - began


def test_a_limit_is_over_when_what_was_not_withheld_is_more():
    quiet, crowded = machine(*QUIET), machine(*CROWDED)
    assert not Limit("it", 5, BEGAN, quiet).is_over(BEGAN + 4.9)
    assert Limit("it", 5, BEGAN, quiet).is_over(BEGAN + 5.1)
    assert not Limit("it", 2, BEGAN, crowded).is_over(BEGAN + 7.9)
    assert Limit("it", 2, BEGAN, crowded).is_over(BEGAN + 8.1)
    with pytest.raises(AssertionError, match="it took more than 0 s: so it was"):
        Limit("it", 0, time.monotonic() - 1, Machine()).check("so it was")


def test_whoever_reads_the_account_learns_which_limits_were_stretched():
    crowded = machine(*CROWDED)
    for limit, now in ((Limit("it", 2, BEGAN, crowded), 6.0), (Limit("it", 2, BEGAN, crowded), 5.0)):
        assert not limit.is_over(BEGAN + now)
    Limit("that", 2, BEGAN, crowded).is_over(BEGAN + 9)
    Limit("other", 2, BEGAN, crowded).is_over(BEGAN + 1)
    told = "the machine withheld 7.5 s of 10.0 s\n  it took 6.0 s, more than 2 s by less than was withheld"
    assert str(crowded) == told
    assert told in str(joined([Account(), Account(machine=told)]))


KILLED = Hit("killed", BEGAN + 9, BEGAN + 9.1, pids=frozenset([7]), rescued=BEGAN + 10)


async def test_a_live_node_that_was_taken_for_dead_is_excused_by_what_the_machine_withheld(books):
    await books.again(after=2)
    books.machine = Machine()
    for share, wrong in ((0.0, True), (0.45, True), (0.55, False)):
        books.machine.withheld = lambda since, until, share=share: share * (until - since)
        account = await books.account()
        assert ("second executions that no fault explains" in account.wrong) is wrong, account
        assert account.ok is not wrong
    assert "1 of these as the machine let no live node be heard" in str(account)


def run(ended):
    return Execution(1, 1, 7, "a", BEGAN, ended, "completed")


def test_outcomes_are_under_way_for_longer_on_a_machine_that_withholds_time():
    early = run(BEGAN + 8 - UNDER_WAY)
    assert not Causes([KILLED], machine=machine(*QUIET)).of(early)
    assert Causes([KILLED], machine=machine(*CROWDED)).of(early)


def test_jobs_run_again_later_on_a_machine_that_withholds_time():
    quiet, crowded = (Causes([KILLED], machine=machine(*looks)) for looks in ([*QUIET] * 4, [*CROWDED] * 4))
    for causes in (quiet, crowded):
        [cause] = causes.of(run(None))
        assert not causes.is_too_late(cause, BEGAN + 9.9, 0)
        assert causes.is_too_late(cause, BEGAN + 20, 0)
        assert causes.is_too_late(cause, BEGAN + 11, 0) is (causes is quiet)
        assert not causes.is_too_late(cause, BEGAN + 11, 2)


async def test_promises_are_held_against_what_was_not_withheld(monkeypatch):
    class Waiting:
        async def sql(self, statement, *values):
            return [(1, "available")]

    crowded = machine(*CROWDED)
    monkeypatch.setattr(crowded, "withheld", lambda since, until: 0.75 * (until - since))
    monkeypatch.setattr(Limit.__init__, "__defaults__", (None, crowded))
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"jobs are not completed within 0\.2 s"):
        await promises.ended(Waiting(), [1], 0.2)
    assert time.monotonic() - began > 0.8
    assert crowded.stretched["jobs to be completed"][1] == 0.2


async def test_whoever_rests_gives_others_the_time_that_is_not_withheld(monkeypatch):
    for share, seconds in ((0.0, 0.2), (0.75, 0.8)):
        crowded = machine()
        monkeypatch.setattr(crowded, "withheld", lambda since, until, share=share: share * (until - since))
        began = time.monotonic()
        await rest(0.2, crowded)
        assert time.monotonic() - began >= seconds - 0.01
