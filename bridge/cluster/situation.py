"""What a node knows of the others when it has to decide who makes due jobs available."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.cluster.beats import Beats
from bridge.cluster.leader import Leader
from bridge.pubsub import Notifier, Status


class Situation:
    """The view of a node on its own, which leads, and hears nobody."""

    @property
    def settled(self) -> bool:
        """Whether it is known by now what messages arrive, and from whom."""
        return True

    @property
    def hears(self) -> bool:
        """Whether messages arrive."""
        return False

    @property
    def leads(self) -> bool:
        """Whether this node holds the lease, or none can be had, so that every node does a leader's duty."""
        return True

    @property
    def stopping(self) -> bool:
        """Whether this node stops, so that it finds out nothing more of others."""
        return False

    def stands_in(self) -> bool:
        """Tell whether this node has to help out, because the leader has fallen silent."""
        return False

    def leader(self) -> str:
        """Return the other node that is known to lead; empty where none is."""
        return ""

    @property
    def may_lead(self) -> bool:
        """Whether this node asks for the lease, or needs none."""
        return True

    def promised(self) -> float:
        """Return for how many seconds another node that is heard has promised to stage."""
        return 0.0

    def beat(self, _within: float) -> str:
        """Return what other nodes are to be promised; empty where there is nothing to promise."""
        return ""

    def hears_of(self, _node: str | None) -> bool:
        """Tell whether the messages of a node arrive."""
        return False


class ClusterSituation(Situation):
    """The view of a node of a cluster.

    Args:
        leader: Whether this node leads.
        notifier: What arrives.
        beats: What other stagers have promised.
        leaseless: Whether this node does a leader's duty though it never asks for the lease.
    """

    def __init__(self, leader: Leader, notifier: Notifier, beats: Beats, *, leaseless: bool) -> None:
        self._leader = leader
        self._notifier = notifier
        self._beats = beats
        self._leaseless = leaseless

    @property
    def settled(self) -> bool:
        """Whether it is known by now what messages arrive, and from whom."""
        if self._notifier.running and self._notifier.status() is Status.UNKNOWN:
            return False
        return not self.hears or self.leads or self._beats.overdue()

    @property
    def stopping(self) -> bool:
        """Whether this node stops, so that it finds out nothing more of others."""
        return self._leader.stopped

    @property
    def hears(self) -> bool:
        """Whether messages arrive."""
        return self._notifier.hears

    @property
    def leads(self) -> bool:
        """Whether this node holds the lease, or none can be had, so that every node does a leader's duty."""
        return self._leader.is_leader or self._leader.leaseless or self._leaseless

    def stands_in(self) -> bool:
        """Tell whether this node hears, and yet nothing of a leader, whose lease may live on after it has died."""
        return self._leader.running and self.hears and self._beats.overdue()

    def leader(self) -> str:
        """Return the other node that is known to lead: it is heard, or has won an election that this one lost."""
        if self.hears:
            return self._beats.who_promised()
        return "" if self.leads else self._leader.holder or ""

    @property
    def may_lead(self) -> bool:
        """Whether this node asks for the lease, or needs none."""
        return self._leader.running or self.leads

    def promised(self) -> float:
        """Return for how many seconds another node that is heard has promised to stage."""
        return self._beats.promised(leads=self._leader.is_leader) if self.hears else 0.0

    def beat(self, within: float) -> str:
        """Return what other nodes are to be promised: only the one that leads is to be counted on."""
        return self._beats.message(within) if self._leader.is_leader else ""

    def hears_of(self, node: str | None) -> bool:
        """Tell whether the messages of a node arrive."""
        return self.hears and node in self._notifier.nodes

    # Messages

    def on_beat(self, channel: str, payload: Mapping[str, Any]) -> None:
        """Hear what another stager promises."""
        self._beats.hear(channel, payload)

    def on_leader(self, channel: str, payload: Mapping[str, Any]) -> None:
        """Hear that a leader of either language has stopped."""
        self._leader.hear(channel, payload)
        self._beats.forget(str(payload.get("down")))

    def on_status(self, status: Status) -> None:
        """Hear that this node hears again, so that the leader has to be waited for."""
        if status in (Status.SOLITARY, Status.CLUSTERED):
            self._beats.expect()
