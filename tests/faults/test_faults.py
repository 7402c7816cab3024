"""The list of faults, and how a mixed run is made of it."""

import re
import time
from typing import ClassVar

import pytest

from bridge.errors import ServerError

from .account import Account
from .causes import Causes, Written
from .faults import UNDER_WAY, Fault, Hit, all_faults
from .lane import Lane
from .ledger import Execution
from .orders import Orders
from .torture import Torture, layout, merged_needs


class Nothing(Fault):
    """Strikes nothing."""

    name = "nothing"

    async def strike(self, ground, random):
        return Hit(self.name, 0.0, 0.0)


class Needy(Nothing):
    name = "needy"
    needs: ClassVar = {"standby": True, "settings": {"max_connections": "50"}}


class Other(Nothing):
    name = "other"
    needs: ClassVar = {"settings": {"work_mem": "1MB"}}


def test_every_fault_has_a_name_of_its_own_and_says_what_it_is():
    faults = all_faults()
    names = [fault.name for fault in faults]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert all(type(fault).__doc__ for fault in faults)
    assert all(5 <= fault.bound <= 15 for fault in faults)


def test_a_mixed_run_has_what_each_fault_needs():
    assert merged_needs([Needy(), Nothing(), Other()]) == {
        "standby": True,
        "settings": {"max_connections": "50", "work_mem": "1MB"},
    }


@pytest.mark.parametrize(
    ("processes", "nodes"), [(1, [1]), (2, [1, 1]), (3, [1, 2]), (4, [1, 1, 2]), (6, [1] * 4 + [2])]
)
def test_one_node_of_a_mixed_run_has_children(processes, nodes):
    assert layout(processes) == nodes
    assert sum(layout(processes)) == processes


def test_a_seed_decides_the_order_and_each_fault_comes_before_any_comes_again():
    def order(seed, seconds):
        torture = Torture(seed=seed, jobs=1, seconds=seconds, faults=[Needy(), Nothing(), Other()])
        torture._began = time.monotonic()
        found = torture._order()
        return [fault.name for (_, fault), _ in zip(found, range(6), strict=False)]

    assert order(1, 60.0) == order(1, 60.0)
    assert set(order(1, 60.0)[:3]) == set(order(1, 60.0)[3:]) == {"needy", "nothing", "other"}
    assert len(order(1, None)) == 3
    assert len({tuple(order(seed, None)) for seed in range(20)}) == 6


def test_a_hit_explains_what_it_caught_in_flight():
    hit = Hit("it", began=10.0, ended=12.0, pids=frozenset([7]), nodes=frozenset(["b"]))
    run = Execution(1, 1, 7, "a", 9.0)
    assert hit.explains(run)
    assert hit.explains(run._replace(pid=8, node="b"))
    assert not hit.explains(run._replace(pid=8))
    assert not hit.explains(run._replace(began=12.1))
    assert hit.explains(run._replace(began=1.0, ended=10.1 - UNDER_WAY, outcome="completed"))  # its ack was under way
    assert not hit.explains(run._replace(began=1.0, ended=9.9 - UNDER_WAY, outcome="completed"))


def caught(run, *hits, written=()):
    """The names of the faults that explain a second execution."""
    return [cause.hit.fault for cause in Causes(hits, written).of(run)]


KILLED = Hit("killed", began=100.0, ended=100.1, pids=frozenset([7]))
RUN = Execution(1, 1, 7, "a", 80.0, 93.0, "completed")


def test_an_outcome_is_under_way_for_long_only_where_another_fault_held_it_up():
    assert caught(RUN._replace(ended=99.0), KILLED) == ["killed"]
    assert caught(RUN, KILLED) == []
    assert caught(RUN, KILLED, Hit("outage", 92.5, 97.0)) == ["killed"]
    assert caught(RUN, KILLED, Hit("outage over long ago", 92.5, 94.0)) == []
    assert caught(RUN, KILLED, Hit("outage after its end", 96.0, 98.0)) == []
    assert caught(RUN, KILLED, Hit("outage that came later", 101.0, 103.0)) == []
    assert caught(RUN, Hit("first", 90.0, 92.5), Hit("second", 95.5, 97.0), KILLED) == ["killed"]  # one after the other


def test_what_was_seen_to_be_written_is_not_under_way():
    outage, before = Hit("outage", 92.5, 97.0), Written(91.0, 90.0)
    assert caught(RUN, KILLED, outage, written=[before, Written(98.0, 92.9)]) == ["killed"]
    assert caught(RUN, KILLED, outage, written=[before, Written(98.0, 93.1)]) == []
    assert caught(RUN, KILLED, outage, written=[before, Written(101.0, 97.0)]) == ["killed"]  # seen too late
    assert caught(RUN._replace(ended=99.0), KILLED, written=[Written(99.6, 99.5)]) == []


def test_faults_put_off_the_time_of_a_rescue_that_they_strike_within():
    def rescued(*others):
        [first] = Causes([Hit("it", 100.0, 101.0, pids=frozenset([7]), rescued=111.0), *others])._all
        return first.rescued

    assert rescued() == 111.0
    assert rescued(Hit("before", 90.0, 99.0), Hit("long after", 112.0, 115.0)) == 111.0
    assert rescued(Hit("within", 110.0, 115.0)) == 125.0
    assert rescued(Hit("within", 110.0, 115.0), Hit("within that", 120.0, 121.0)) == 131.0


def test_an_attempt_is_lost_only_by_a_fault_that_hit_the_process_which_claimed_it():
    pids = {"a": {7}, "b": {8}}
    causes = Causes([KILLED, Hit("outage", 95.0, 105.0), Hit("cut off", 50.0, 55.0, nodes=frozenset(["b"]))], (), pids)

    def found(*values):
        return [cause.hit.fault for cause in causes.of_attempt(*values)]

    assert found(90.0, 110.0) == ["killed"]
    assert found(0.0, 110.0) == ["cut off", "killed"]
    assert found(101.0, 110.0) == found(90.0, 99.0) == []
    assert found(0.0, 110.0, None, "a") == found(0.0, 110.0, 99.9) == ["killed"]
    assert found(0.0, 110.0, 52.0, "b") == ["cut off"]
    assert found(0.0, 110.0, 52.0, "a") == found(0.0, 110.0, 60.0) == []
    # A process of which the ledger knows nothing may have been of any node.
    assert Causes([Hit("killed", 100.0, 100.1, pids=frozenset([9]))], (), pids).of_attempt(90.0, 110.0, None, "a")


class Fallen:
    """As much of a ground as a lane asks for, on which everything fails."""

    def __init__(self, revives):
        self.skipped, self.recovered, self.revives = {}, {}, revives
        self.load = type("Booked", (), {"orders": Orders()})

    async def suffer(self, fault, random):
        raise ServerError("the server did not start")

    async def revive(self):
        if not self.revives:
            raise ServerError("nor did it again")

    async def settle(self, timeout):
        raise OSError("no server")

    async def account(self):
        raise OSError("no server")


async def test_whatever_a_fault_raises_the_lane_ends_with_an_account():
    said = []
    lane = Lane(said.append, iter([(0, Nothing()), (1, Nothing())]), seed="1", options={})
    await lane._torment(Fallen(revives=True), every=0, breath=0)
    assert len(lane._broken) == len(said) == 2
    lane = Lane(said.append, iter([(0, Nothing()), (1, Nothing())]), seed="1", options={})
    ground = Fallen(revives=False)
    await lane._torment(ground, every=0, breath=0)
    assert [what.partition(":")[0] for what in lane._broken] == ["nothing", "the ground could not be brought back"]
    account = await lane._close(ground)
    assert isinstance(account, Account)
    assert {"accounts that could not be taken"} < set(account.wrong)
