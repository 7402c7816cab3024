"""An application's module that lets an instrument go around the jobs of whoever imports it, and sets up a log."""

import logging
import os
from contextlib import contextmanager

from bridge.telemetry import instruments


class Around(instruments.Instrument):
    """Logs what it goes around."""

    @contextmanager
    def insertion(self, insertion):
        yield

    @contextmanager
    def run(self, run):
        yield
        logging.getLogger("app").warning("around %d in %d: %s", run.job.id, os.getpid(), run.state)


def install():
    instruments.install("around", Around())


if os.environ.get("BRIDGE_TESTS_CHILD"):
    logging.basicConfig(level=logging.CRITICAL, force=True)
    install()
