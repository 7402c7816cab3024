"""Which of several nodes does what only one may do."""

from bridge.cluster.leader import Leader, check_leader

__all__ = ["Leader", "check_leader"]
