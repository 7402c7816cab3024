"""What a node logs, which must be little however much goes wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .node import Node

#: Lines a second that a node may log while a fault lasts, beside those of the jobs themselves.
CHATTER: Final = 5.0

#: Lines that it may log beside these, however short it is: each of its parts may tell once that something failed, and
#: once that it is over, or that it starts.
BURST: Final = 25


class Chatter:
    """What a node logs from now on.

    Args:
        node: Which is listened to.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._begun = time.monotonic()
        self._mark = node.mark()

    def check(self) -> None:
        """Refuse more lines than it may have logged until now.

        Raises:
            AssertionError: With the last of them.
        """
        said = self._node.chatter(self._mark)
        seconds = time.monotonic() - self._begun  # only now: reading takes time, in which it may go on
        if said > BURST + CHATTER * seconds:
            last = self._node.lines(self._mark)[-5:]
            raise AssertionError(f"node {self._node.name} logged {said} lines in {seconds:.1f} s: {last}")
