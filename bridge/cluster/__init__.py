"""Which of several nodes does what only one may do."""

from bridge.cluster.beats import CHANNEL, Beats
from bridge.cluster.leader import Leader, check_leader
from bridge.cluster.situation import ClusterSituation, Situation

__all__ = ["CHANNEL", "Beats", "ClusterSituation", "Leader", "Situation", "check_leader"]
