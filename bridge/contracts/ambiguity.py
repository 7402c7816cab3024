"""Finds the regular expressions whose time explodes: a repetition that can read one text in two ways.

`(a+)+` reads `aa` as one round or as two, so a text of n letters that doesn't match in the end is tried 2ⁿ times. The
places of a pattern where a character is read are the states of an automaton (Glushkov's). Time is exponential where a
loop leads from a state to itself by two ways that read the same text. A pattern too large to look through is let pass.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from bridge.contracts.expressions import Chars, Choice, Edge, Look, Node, Ranges, Repeat, Sequence, complement

# A repetition with at least so many rounds is as bad as one without end.
_MANY: Final = 10
# Characters are repeated in full, so that [a-z]{2} and [a-z]{3} differ.
_MOST_COPIES: Final = 65
_MOST_STATES: Final = 2_000
_MOST_EDGES: Final = 200_000
_MOST_STEPS: Final = 100_000


def find_ambiguity(tree: Node) -> Node | None:
    """Return the part at which a repetition's two ways begin to differ, or None where time can't explode."""
    todo = [tree]
    while todo:
        automaton = Automaton(looks=todo)
        automaton.add(todo.pop())
        found = automaton.split()
        if found is not None:
            return found
    return None


@dataclass
class _Piece:
    """A part of the pattern: whether it may be empty, and the states it begins and ends with."""

    empty: bool
    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)


class Automaton:
    """The states of a pattern, each a place where it reads a character.

    Attributes:
        sets: The characters that each state reads.
        follow: Which state may follow which, and by how many ways.
    """

    def __init__(self, looks: list[Node]) -> None:
        self._looks = looks
        self._states: list[Chars] = []
        self.sets: list[Ranges] = []
        self.follow: Counter[tuple[int, int]] = Counter()
        self._idle: Node | None = None

    def add(self, node: Node) -> _Piece:
        """Take a part of the pattern in."""
        match node:
            case Chars(ranges=ranges, negated=negated):
                state = len(self._states)
                self._states.append(node)
                self.sets.append(complement(ranges) if negated else ranges)
                return _Piece(False, [state], [state])
            case Sequence(items=items):
                return self._chain(items)
            case Choice(options=options):
                pieces = [self.add(option) for option in options]
                return _Piece(
                    any(piece.empty for piece in pieces),
                    [state for piece in pieces for state in piece.first],
                    [state for piece in pieces for state in piece.last],
                )
            case Repeat():
                return self._repeat(node)
            case Look(inner=inner):
                self._looks.append(inner)
            case Edge():
                pass
        return _Piece(True)

    def _chain(self, items: tuple[Node, ...]) -> _Piece:
        whole = _Piece(True)
        for item in items:
            piece = self.add(item)
            self._join(whole.last, piece.first)
            whole = _Piece(
                whole.empty and piece.empty,
                whole.first + piece.first if whole.empty else whole.first,
                whole.last + piece.last if piece.empty else piece.last,
            )
        return whole

    def _repeat(self, node: Repeat) -> _Piece:
        """Write a bounded repetition out, a few times; let one without end, or a long one, loop."""
        if len(self._states) > _MOST_STATES or node.high == 0:
            return _Piece(True)
        most = _MOST_COPIES if isinstance(node.inner, Chars) else 2
        endless = node.high is None or node.high >= max(_MANY, most)
        copies = min(node.low, most) or 1
        optional = 0 if endless or node.high is None else min(node.high - copies, most)
        whole = self._chain((node.inner,) * (copies - 1))
        tail = self.add(node.inner)
        if tail.empty and tail.first and max(node.low, node.high or 0) >= _MANY:
            # Any of the counted rounds may be the empty ones, which an automaton doesn't see and an engine tries.
            self._idle = node.inner
        if endless:
            self._join(tail.last, tail.first)
        self._join(whole.last, tail.first)
        first = whole.first + tail.first if whole.empty else whole.first
        last, before = tail.last + whole.last if tail.empty else tail.last, tail.last
        for _ in range(max(optional, 0)):
            more = self.add(node.inner)
            self._join(before, more.first)
            last, before = last + more.last, more.last
        return _Piece(node.low == 0 or (whole.empty and tail.empty), first, last)

    def _join(self, lasts: list[int], firsts: list[int]) -> None:
        if len(self.follow) > _MOST_EDGES:
            return
        for last in lasts:
            for first in firsts:
                self.follow[last, first] += 1

    def split(self) -> Node | None:
        """Return where two ways of one loop that part, and read the same text, meet again."""
        if self._idle is not None:
            return self._idle
        after: dict[int, list[int]] = defaultdict(list)
        for last, first in self.follow:
            after[last].append(first)
        inside = loops(after)
        for (last, first), ways in self.follow.items():
            if ways > 1 and inside.get(last) is not None and inside.get(last) == inside.get(first):
                return self._states[first]
        return self._meet_again({one: [two for two in after[one] if inside.get(two) == inside[one]] for one in inside})

    def _meet_again(self, after: dict[int, list[int]]) -> Node | None:
        """Walk two ways from each state as long as they can read the same, until two meet that have parted."""
        todo = [
            (one, two)
            for ways in {tuple(ways) for ways in after.values()}
            for at, one in enumerate(ways)
            for two in ways[at + 1 :]
            if self._same(one, two)
        ]
        seen = set(todo)
        while todo and len(seen) < _MOST_STEPS:
            left, right = todo.pop()
            for one in after[left]:
                for two in after[right]:
                    pair = (min(one, two), max(one, two))
                    if pair in seen or not self._same(one, two):
                        continue
                    if one == two:
                        return self._states[one]
                    seen.add(pair)
                    todo.append(pair)
        return None

    def _same(self, one: int, two: int) -> bool:
        return one == two or any(
            low <= other_high and other_low <= high
            for low, high in self.sets[one]
            for other_low, other_high in self.sets[two]
        )


def loops(after: dict[int, list[int]]) -> dict[int, int]:
    """Return the loop that each state is part of: the strongly connected components, by Kosaraju's algorithm."""
    before: dict[int, list[int]] = defaultdict(list)
    for state, following in after.items():
        for one in following:
            before[one].append(state)
    found: dict[int, int] = {}
    seen: set[int] = set()
    for state in reversed(_by_end(after)):
        members = _reached(state, before, seen)
        if len(members) > 1 or state in after.get(state, ()):
            found.update(dict.fromkeys(members, state))
    return found


def _by_end(after: dict[int, list[int]]) -> list[int]:
    """Return the states in the order in which a walk in depth leaves them."""
    found: list[int] = []
    seen: set[int] = set()
    for start in list(after):
        walk = [(start, iter(after[start]))] if start not in seen else []
        seen.add(start)
        while walk:
            state, rest = walk[-1]
            following = next((one for one in rest if one not in seen), None)
            if following is None:
                found.append(state)
                walk.pop()
            else:
                seen.add(following)
                walk.append((following, iter(after.get(following, ()))))
    return found


def _reached(start: int, before: dict[int, list[int]], seen: set[int]) -> list[int]:
    found, todo = [], [start] if start not in seen else []
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            found.append(state)
            todo.extend(before.get(state, ()))
    return found
