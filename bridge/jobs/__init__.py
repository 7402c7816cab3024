"""Jobs and workers: what a row holds, who runs it, and what it may come to."""

from bridge.jobs.context import current_job
from bridge.jobs.function import FunctionWorker, job
from bridge.jobs.job import Job
from bridge.jobs.options import WorkerOptions
from bridge.jobs.registry import Registry, registry
from bridge.jobs.results import Cancel, Discard, Record, Snooze
from bridge.jobs.states import JobState
from bridge.jobs.unique import Unique
from bridge.jobs.unsaved import UnsavedError
from bridge.jobs.worker import Worker, worker

__all__ = [
    "Cancel",
    "Discard",
    "FunctionWorker",
    "Job",
    "JobState",
    "Record",
    "Registry",
    "Snooze",
    "Unique",
    "UnsavedError",
    "Worker",
    "WorkerOptions",
    "current_job",
    "job",
    "registry",
    "worker",
]
