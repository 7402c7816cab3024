"""How the time of a regular expression grows with its text, where repetitions one after the other may share it.

`a*a*b` may cut a text of n letters in n ways, `a*a*a*b` in n², before it is clear that no b comes. Two loops share a
text where one and the same word leads from the first back to itself, from the first to the second, and from the second
back to itself (Weber and Seidl, 1991); the longest chain of such loops is the degree. A pattern that doesn't begin with
`^` is tried from each place on, as if a loop that reads anything stood before it. One too large to look through is let
pass.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from bridge.contracts.ambiguity import Automaton, loops
from bridge.contracts.expressions import Chars, Edge, Node, Ranges, Repeat, Sequence

_MOST_STEPS: Final = 60_000
_MOST_STATES: Final = 400

_ANYTHING: Final = Repeat(Chars((), negated=True), 0, None)


def degree_of(tree: Node) -> int:
    """Return the exponent by which the ways to cut a text grow: 0 for one way, 1 for as many as the text is long."""
    todo: list[Node] = [tree if _is_anchored(tree) else Sequence((_ANYTHING, tree))]
    degree = 0
    while todo:
        automaton = Automaton(looks=todo)
        automaton.add(todo.pop())
        degree = max(degree, _Chains(automaton).longest())
    return degree


def _is_anchored(node: Node) -> bool:
    if isinstance(node, Sequence):
        return bool(node.items) and _is_anchored(node.items[0])
    return isinstance(node, Edge) and node.kind == "^"


class _Chains:
    """The loops of one automaton, and which of them share texts."""

    def __init__(self, automaton: Automaton) -> None:
        self._sets = automaton.sets
        self._after: dict[int, list[int]] = defaultdict(list)
        for last, first in automaton.follow:
            self._after[last].append(first)
        self._loop = loops(self._after) if len(self._sets) <= _MOST_STATES else {}
        self._members: dict[int, list[int]] = defaultdict(list)
        for state, loop in self._loop.items():
            self._members[loop].append(state)
        self._steps = _MOST_STEPS

    def longest(self) -> int:
        """Return the length of the longest chain."""
        shares = {one: [two for two in self._members if two != one and self._share(one, two)] for one in self._members}
        depths: dict[int, int] = {}

        def depth(loop: int) -> int:
            if loop not in depths:
                depths[loop] = max((1 + depth(other) for other in shares[loop]), default=0)
            return depths[loop]

        return max(map(depth, shares), default=0)

    def _share(self, one: int, two: int) -> bool:
        return any(self._meet(p, q) for p in self._members[one] for q in self._members[two])

    def _meet(self, p: int, q: int) -> bool:
        """Walk by one word from p to p, from p to q, and from q to q."""
        seen = {(p, p, q)}
        todo = [(p, p, q)]
        while todo and self._steps > 0:
            stays, moves, arrived = todo.pop()
            for following in self._following(stays, moves, arrived, self._loop[p], self._loop[q]):
                if following == (p, q, q):
                    return True
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return False

    def _following(self, stays: int, moves: int, arrived: int, one: int, two: int) -> list[tuple[int, int, int]]:
        found = []
        for first in self._after[stays]:
            if self._loop.get(first) != one:
                continue
            for third in self._after[arrived]:
                if self._loop.get(third) != two or not (both := _common(self._sets[first], self._sets[third])):
                    continue
                for second in self._after[moves]:
                    self._steps -= 1
                    if _common(both, self._sets[second]):
                        found.append((first, second, third))
        return found


def _common(one: Ranges, two: Ranges) -> Ranges:
    """Return the characters of both."""
    return tuple(
        (max(low, other_low), min(high, other_high))
        for low, high in one
        for other_low, other_high in two
        if low <= other_high and other_low <= high
    )
