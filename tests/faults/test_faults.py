"""The list of faults, and how a mixed run is made of it."""

import re
from typing import ClassVar

import pytest

from .faults import Fault, Hit, all_faults
from .ledger import Execution
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
        found = iter(Torture(seed=seed, jobs=1, seconds=seconds, faults=[Needy(), Nothing(), Other()])._order())
        return [fault.name for fault, _ in zip(found, range(6), strict=False)]

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
    assert hit.explains(run._replace(began=1.0, ended=9.5, outcome="completed"))  # its ack was under way
    assert not hit.explains(run._replace(began=1.0, ended=4.0, outcome="completed"))
