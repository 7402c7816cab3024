"""The engine: the only place that knows Oban's tables and writes SQL."""

from bridge.engine.acks import Ack
from bridge.engine.clock import naive, utc_now
from bridge.engine.connections import Connections, connect, create_pool, is_cut_short, is_unavailable
from bridge.engine.engine import Engine, Group
from bridge.engine.filters import JobOrId, job_id_of, select_jobs
from bridge.engine.peers import Peer
from bridge.engine.updates import Changes

__all__ = [
    "Ack",
    "Changes",
    "Connections",
    "Engine",
    "Group",
    "JobOrId",
    "Peer",
    "connect",
    "create_pool",
    "is_cut_short",
    "is_unavailable",
    "job_id_of",
    "naive",
    "select_jobs",
    "utc_now",
]
