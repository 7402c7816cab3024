"""The part of the run that tells of it: the conformance table, and why nothing ran where nothing did."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import asyncpg
import pytest
from databases import dsn_of

from .obanpy.interpreter import RELEASE
from .table import DOCS, facts_of, shortened, write

SUITE = Path(__file__).parent
NAME = "interop-report"


class Report:
    """A plugin of pytest that counts the outcomes of tests with `@pytest.mark.item("area: fact")`.

    With `INTEROP_WRITE=1` the process that controls the run writes them into the table. `facts` are the versions that
    the run had, and `items` the counts of each item: passed, failed, skipped, reasons.
    """

    def __init__(self, config, folder=DOCS, suite=SUITE):
        self.facts = None
        self.items = {}
        self._config = config
        self._folder, self._suite = folder, suite
        self._skips = Counter()
        self._ran = False

    # In each process

    def pytest_collection_modifyitems(self, items):
        for item in items:
            if marker := item.get_closest_marker("item"):
                item.user_properties.append(("item", marker.args[0]))

    def keep(self, facts):
        """Take note of the versions that this process has."""
        self.facts = facts
        if self._is_worker:
            self._config.workeroutput["interop"] = facts

    # In the one that controls them

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.facts = getattr(node, "workeroutput", {}).get("interop") or self.facts

    def pytest_runtest_logreport(self, report):
        outcome = outcome_of(report)
        for name, item in report.user_properties:
            if name == "item" and outcome is not None:
                self._count(item, outcome, report)

    def pytest_sessionfinish(self, exitstatus):
        told = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if writes() and told and not self._is_worker and self.facts is not None:
            write(self.facts, self.items, whole=self._is_whole, folder=self._folder)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        if self.last_line and not self._is_worker:
            self._config.get_terminal_writer().line(self.last_line)

    @property
    def last_line(self):
        """What a run ends with in which items could not be tried, for want of an Elixir node or at all; else None."""
        nodeless = {reason: count for reason, count in self._skips.items() if reason.startswith("no Elixir node")}
        skipped = Counter(nodeless) if nodeless and self._ran else self._skips
        if not skipped or (self._ran and not nodeless):
            return None
        [(reason, _count)] = skipped.most_common(1)
        number = skipped.total()
        told = "1 test was skipped" if number == 1 else f"{number} tests were skipped"
        return f"{told}{'' if self._ran else ', and none ran'}: {shortened(reason)}"

    def _count(self, item, outcome, report):
        counts = self.items.setdefault(item, {"passed": 0, "failed": 0, "skipped": 0, "reasons": []})
        counts[outcome] += 1
        if outcome != "skipped":
            self._ran = True
            return
        reason = reason_of(report)
        self._skips[reason] += 1
        if reason not in counts["reasons"]:
            counts["reasons"].append(reason)

    @property
    def _is_worker(self):
        return hasattr(self._config, "workerinput")

    @property
    def _is_whole(self):
        options = self._config.option
        asked = [Path(self._config.invocation_params.dir, each).resolve() for each in self._config.args]
        return asked == [self._suite] and not (options.keyword or options.markexpr or options.deselect)


@pytest.fixture(scope="session", autouse=True)
def _versions_of_the_report(request):
    if not writes():
        return
    try:
        versions = request.getfixturevalue("versions")
    except pytest.skip.Exception:
        return  # the tests say it, too
    facts = facts_of(
        versions,
        postgresql=asyncio.run(postgresql_version()),
        oban_py=RELEASE,
        runner=request.getfixturevalue("elixir_runner").name,
    )
    request.config.pluginmanager.get_plugin(NAME).keep(facts)


def writes():
    """Whether the run is to be kept."""
    return os.environ.get("INTEROP_WRITE", "") not in ("", "0")


def outcome_of(report):
    """How a test ended, by the phase that tells; None for the others."""
    if report.failed:
        return "failed"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" else None


def reason_of(report):
    """Why a test was skipped, on one line."""
    found = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", report.longrepr)
    return " ".join(str(found).removeprefix("Skipped: ").split())


async def postgresql_version():
    """The server's, as text."""
    conn = await asyncpg.connect(dsn_of("postgres"))
    try:
        return (await conn.fetchval("show server_version")).split()[0]
    finally:
        await conn.close()
