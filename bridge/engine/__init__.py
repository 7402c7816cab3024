"""The engine: the only place that knows Oban's tables and writes SQL."""

from bridge.engine.acks import QUARANTINE, Ack
from bridge.engine.clock import naive, utc_now
from bridge.engine.connections import Connections, connect, create_pool, is_denied, is_doubtful, is_unavailable
from bridge.engine.crons import LastMinute
from bridge.engine.dsn import check_options
from bridge.engine.engine import Engine, Group
from bridge.engine.filters import JobOrId, job_id_of, select_jobs
from bridge.engine.indexes import Index
from bridge.engine.leases import Election
from bridge.engine.merging import check_merge
from bridge.engine.opening import check_prepared
from bridge.engine.peers import Peer
from bridge.engine.producers import DatabaseClock, LiveProducer, Load, Orphan
from bridge.engine.pruning import END_STATES, EndState, Retention
from bridge.engine.staging import Outlook
from bridge.engine.updates import Changes

__all__ = [
    "END_STATES",
    "QUARANTINE",
    "Ack",
    "Changes",
    "Connections",
    "DatabaseClock",
    "Election",
    "EndState",
    "Engine",
    "Group",
    "Index",
    "JobOrId",
    "LastMinute",
    "LiveProducer",
    "Load",
    "Orphan",
    "Outlook",
    "Peer",
    "Retention",
    "check_merge",
    "check_options",
    "check_prepared",
    "connect",
    "create_pool",
    "is_denied",
    "is_doubtful",
    "is_unavailable",
    "job_id_of",
    "naive",
    "select_jobs",
    "utc_now",
]
