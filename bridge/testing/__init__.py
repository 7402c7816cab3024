"""Helpers for the tests of applications that use Bridge.

`mode`, or `Oban(testing=…)`, says what becomes of new jobs; `assert_enqueued` and its kin look at them, `drain_queue`
runs them, and all of it works within the transaction that a `sandbox` rolls back. `build_job`, `perform_job` and
`process_job` run a worker without a database. The fixtures are in `bridge.testing.plugin`, which
pytest finds by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.jobs.modes import mode
    from bridge.queues import DrainCounts
    from bridge.testing.draining import drain_queue
    from bridge.testing.enqueued import all_enqueued, assert_enqueued, refute_enqueued
    from bridge.testing.matching import ANY
    from bridge.testing.performing import build_job, perform_job, process_job
    from bridge.testing.sandbox import Sandbox, sandbox
    from bridge.testing.strategies import args_of

__all__ = [
    "ANY",
    "DrainCounts",
    "Sandbox",
    "all_enqueued",
    "args_of",
    "assert_enqueued",
    "build_job",
    "drain_queue",
    "mode",
    "perform_job",
    "process_job",
    "refute_enqueued",
    "sandbox",
]

# Imported when they are asked for: pytest loads the plugin, which is in this package, in every project that has Bridge
# installed.
_PLACES = {
    "ANY": "bridge.testing.matching",
    "DrainCounts": "bridge.queues",
    "Sandbox": "bridge.testing.sandbox",
    "all_enqueued": "bridge.testing.enqueued",
    "args_of": "bridge.testing.strategies",
    "assert_enqueued": "bridge.testing.enqueued",
    "build_job": "bridge.testing.performing",
    "drain_queue": "bridge.testing.draining",
    "mode": "bridge.jobs.modes",
    "perform_job": "bridge.testing.performing",
    "process_job": "bridge.testing.performing",
    "refute_enqueued": "bridge.testing.enqueued",
    "sandbox": "bridge.testing.sandbox",
}

if not TYPE_CHECKING:  # type checkers would take any name for one of it

    def __getattr__(name: str) -> Any:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_PLACES[name]), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_PLACES})
