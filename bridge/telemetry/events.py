"""The events: their names, and what each carries.

Names and meaning follow Oban's telemetry, with dots: `[:oban, :job, :start]` is `oban.job.start`. An event of a job's
end is sent once its row has been written. Times are integers in nanoseconds.

A span is three events: `….start`, and then `….stop` or `….exception`. They carry the same class: `system_time` is when
it began, in nanoseconds since 1970, `duration` how long it took (0 in `.start`), `error` why it failed. What the class
tells beside that is known at the end.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

JOB_START: Final = "oban.job.start"
JOB_STOP: Final = "oban.job.stop"
JOB_EXCEPTION: Final = "oban.job.exception"
QUEUE_SHUTDOWN: Final = "oban.queue.shutdown"
SUPERVISOR_INIT: Final = "oban.supervisor.init"
NOTIFIER_SWITCH: Final = "oban.notifier.switch"
STAGER_SWITCH: Final = "oban.stager.switch"
PLUGIN_INIT: Final = "oban.plugin.init"

#: Spans by the part that their three names share.
PLUGIN: Final = "oban.plugin"
NOTIFY: Final = "oban.notifier.notify"
ELECTION: Final = "oban.peer.election"

#: What an engine does for the jobs, as Oban calls it; `ack_jobs` and `release_jobs` are ours: outcomes are written and
#: jobs handed back in batches.
OPERATIONS: Final = (
    "insert_job",
    "insert_all_jobs",
    "fetch_jobs",
    "ack_jobs",
    "release_jobs",
    "stage_jobs",
    "prune_jobs",
    "rescue_jobs",
    "cancel_all_jobs",
    "retry_all_jobs",
    "delete_all_jobs",
    "update_job",
)


def engine_span(operation: str) -> str:
    """Return the name that the three events of an engine's operation share."""
    return f"oban.engine.{operation}"


SPANS: Final = (NOTIFY, PLUGIN, ELECTION, *map(engine_span, OPERATIONS))

#: Every name that is ever emitted.
EVENTS: Final = (
    JOB_START,
    JOB_STOP,
    JOB_EXCEPTION,
    QUEUE_SHUTDOWN,
    SUPERVISOR_INIT,
    NOTIFIER_SWITCH,
    STAGER_SWITCH,
    PLUGIN_INIT,
    *(f"{span}.{part}" for span in SPANS for part in ("start", "stop", "exception")),
)


class Instance(Struct, frozen=True):
    """The instance of Oban that an event comes from; a process may have several.

    Attributes:
        name: Its name.
        prefix: The schema of its tables.
        node: Its node; empty where the event comes from something that is no node, such as a command.
    """

    name: str = "Oban"
    prefix: str = "public"
    node: str = ""


#: Where nobody said which instance it is.
NOBODY: Final = Instance()


class JobStart(Struct, frozen=True):
    """`oban.job.start`: a worker is about to run `job`; `system_time` is nanoseconds since 1970."""

    job: Any
    system_time: int
    oban: Instance = NOBODY


class JobStop(Struct, frozen=True):
    """`oban.job.stop`: a worker came to an end without failing.

    Attributes:
        job: The job as it was fetched.
        state: The row's new state: completed, cancelled, scheduled (snoozed) or discarded.
        duration: Nanoseconds that the worker ran.
        queue_time: Nanoseconds between `scheduled_at` and `attempted_at`, at least 0.
        result: What `process` returned.
        recorded: False where the row had been changed by somebody else meanwhile and was left alone, or took no outcome
            at all: that is tried again, and not told of again.
        oban: The instance that ran it.
    """

    job: Any
    state: str
    duration: int
    queue_time: int
    result: Any = None
    recorded: bool = True
    oban: Instance = NOBODY


class JobException(Struct, frozen=True):
    """`oban.job.exception`: a worker failed, or its job could not be given to it.

    `state` is retryable or discarded. Args that break the worker's contract make it cancelled, or available where the
    worker wants such a job in quarantine: it waits in the queue `quarantine` then. The rest is as in `JobStop`.
    """

    job: Any
    state: str
    duration: int
    queue_time: int
    error: BaseException
    recorded: bool = True
    oban: Instance = NOBODY


class QueueShutdown(Struct, frozen=True):
    """`oban.queue.shutdown`: a queue stopped, which took `elapsed` nanoseconds.

    Attributes:
        orphaned: Ids of the jobs that did not end in time and could not be ended: they stay executing.
        handed_back: Ids of those that were ended, and are available again.
        discarded: Ids of those that were ended in their last attempt.
    """

    queue: str
    elapsed: int
    orphaned: tuple[int, ...]
    oban: Instance = NOBODY
    handed_back: tuple[int, ...] = ()
    discarded: tuple[int, ...] = ()


class SupervisorInit(Struct, frozen=True):
    """`oban.supervisor.init`: an instance has started."""

    system_time: int
    oban: Instance = NOBODY


class NotifierSwitch(Struct, frozen=True):
    """`oban.notifier.switch`: `status`, what a node knows of its link to others, is another one now.

    It is isolated, solitary, clustered or unknown.
    """

    status: str
    oban: Instance = NOBODY


class StagerSwitch(Struct, frozen=True):
    """`oban.stager.switch`: `mode`, how queues hear of jobs that are due, is another one now.

    With `global` the leader's stager tells all nodes, with `local` each node looks for itself.
    """

    mode: str
    oban: Instance = NOBODY


class PluginInit(Struct, frozen=True):
    """`oban.plugin.init`: a service has been started."""

    plugin: str
    oban: Instance = NOBODY


class Plugin(Struct, frozen=True):
    """The span `oban.plugin`: a round of a background service, with what it did.

    Attributes:
        plugin: The service: stager, lifeline, pruner, reindexer, cron, heartbeat.
        staged_count: Jobs that the stager made available.
        rescued_jobs: Ids of the jobs that the lifeline made available again.
        discarded_jobs: Ids of those that it found without an attempt left.
        pruned_count: Jobs that the pruner deleted.
        jobs: Ids of the jobs that cron inserted.
        reindexed: Names of the indexes that the reindexer built anew.
        failures: In `.exception`, how many rounds have failed in a row, with this one.
    """

    oban: Instance
    plugin: str
    system_time: int = 0
    duration: int = 0
    error: BaseException | None = None
    staged_count: int = 0
    rescued_jobs: tuple[int, ...] = ()
    discarded_jobs: tuple[int, ...] = ()
    pruned_count: int = 0
    jobs: tuple[int, ...] = ()
    reindexed: tuple[str, ...] = ()
    failures: int = 0


class Notify(Struct, frozen=True):
    """The span `oban.notifier.notify`: messages are sent on a channel.

    `channel` is its short name, `payloads` the messages as they were given.
    """

    oban: Instance
    channel: str
    payloads: tuple[Any, ...]
    system_time: int = 0
    duration: int = 0
    error: BaseException | None = None


class Election(Struct, frozen=True):
    """The span `oban.peer.election`: a node tries to take or renew the lease, or gives it up as it stops.

    Attributes:
        lease: Its name.
        leader: Whether the node leads now; in `.start`, whether it led.
        was_leader: Whether it led before.
        peer: The node that leads, where that is known.
    """

    oban: Instance
    lease: str
    leader: bool
    was_leader: bool
    peer: str | None = None
    system_time: int = 0
    duration: int = 0
    error: BaseException | None = None


class Operation(Struct, frozen=True):
    """The spans `oban.engine.…`: statements that insert, fetch or change jobs, until the last one is answered.

    Attributes:
        operation: Which, one of `OPERATIONS`.
        count: How many jobs it inserted, fetched or changed.
        jobs: Those jobs, where it returns them.
        ids: Their ids, where it returns those.
    """

    oban: Instance
    operation: str
    system_time: int = 0
    duration: int = 0
    error: BaseException | None = None
    count: int = 0
    jobs: tuple[Any, ...] = ()
    ids: tuple[int, ...] = ()
