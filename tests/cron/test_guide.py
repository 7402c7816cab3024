"""The guide's code does what it says."""

import re
import tomllib
from pathlib import Path

import pytest

from bridge.cron import load_crontab, parse_cron
from bridge.jobs import registry as global_registry

GUIDE = (Path(__file__).parents[2] / "docs" / "cron.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def names():
    """What the guide's Python defines, block after block."""
    found = {"__name__": "app.workers"}
    for block in blocks("python"):
        exec(block, found)
    yield found
    global_registry.unregister(found["Report"])
    global_registry.unregister(found["clean_up"].worker)


def test_the_code_makes_the_crontab_that_the_guide_speaks_of(names):
    oban = names["oban"]
    lines = load_crontab(oban._plan.cron, global_registry, instance="Oban")
    mine = [
        (line.expression.source, line.worker) for line in lines if "clean_up" in line.worker or "Report" in line.worker
    ]
    assert sorted(mine) == [
        ("*/5 * * * *", "app.workers.clean_up"),
        ("0 6 * * MON-FRI", "app.workers.Report"),
        ("0 6 * * MON-FRI", "app.workers.Report"),
        ("@daily", "app.workers.clean_up"),
        ("@weekly", "app.workers.Report"),
    ]


def test_the_file_is_one_that_bridge_reads(names):
    [block] = blocks("toml")
    lines = load_crontab(parse_cron(tomllib.loads(block)["cron"]), global_registry, instance="Oban")
    assert (lines[0].name, lines[0].timezone) == ("daily-report", "Europe/Vienna")
