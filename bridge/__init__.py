"""Bridge: durable jobs between Elixir and Python, through Oban's table in PostgreSQL."""

from bridge.errors import BridgeError, ContractError
from bridge.jobs import Cancel, Discard, Job, JobState, Record, Snooze, Unique, Worker, current_job, job, worker
from bridge.oban import Oban
from bridge.queues import QueueOptions
from bridge.sync import SyncOban

__all__ = [
    "BridgeError",
    "Cancel",
    "ContractError",
    "Discard",
    "Job",
    "JobState",
    "Oban",
    "QueueOptions",
    "Record",
    "Snooze",
    "SyncOban",
    "Unique",
    "Worker",
    "current_job",
    "job",
    "worker",
]
