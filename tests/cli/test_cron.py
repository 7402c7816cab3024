import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

WORKERS = """
from bridge import Worker, job, worker

@worker(queue="reports", cron={"expression": "30 2 * * *", "timezone": "Europe/Vienna", "name": "nightly"})
class Report(Worker):
    def process(self, job): ...

@worker(cron="0 * * * *", oban="Other")
class Elsewhere(Worker):
    def process(self, job): ...

@job(cron="@reboot")
def warm_up(): ...
"""

TOML = """
imports = ["my_jobs"]
queues = { default = 1 }

[cron]
timezone = "America/New_York"

[[cron.entries]]
expression = "*/5 * * * *"
worker = "my_jobs.Report"
args = { kind = "short" }
"""


def bridge(folder: Path, *arguments: str, columns: int = 220) -> subprocess.CompletedProcess[str]:
    (folder / "my_jobs.py").write_text(WORKERS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env={**inherited, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_entries_of_the_file_and_of_workers_are_listed_with_their_next_times(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    before = datetime.now(UTC)
    done = bridge(tmp_path, "cron", "list", "--json")
    short, nightly, warm_up = json.loads(done.stdout)
    next_times: list[Any] = [datetime.fromisoformat(text) for text in short.pop("next")]
    assert timedelta(0) < next_times[0] - before <= timedelta(minutes=5, seconds=5)
    assert [later - earlier for earlier, later in pairwise(next_times)] == [timedelta(minutes=5)] * 2
    name = short.pop("name")
    assert len(name) == 8
    assert short == {
        "expression": "*/5 * * * *",
        "timezone": "America/New_York",
        "worker": "my_jobs.Report",
        "queue": "reports",
        "args": {"kind": "short"},
        "place": "cron.entries[0]",
    }
    assert (nightly["name"], nightly["timezone"], nightly["place"]) == (
        "nightly",
        "Europe/Vienna",
        "cron of my_jobs.Report",
    )
    assert [text[10:16] for text in nightly["next"]] == ["T02:30"] * 3
    assert (warm_up["expression"], warm_up["next"]) == ("@reboot", [])


def test_the_table_shows_the_same_to_people(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    done = bridge(tmp_path, "cron", "list", "--times", "1")
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == 3
    assert all(text in rows[1] for text in ("30 2 * * *", "my_jobs.Report", "reports", "02:30 +0", "Europe/Vienna"))
    assert "when a node begins to lead" in rows[2]


def test_the_entries_of_another_instance_are_listed_by_its_name(tmp_path: Path) -> None:
    done = bridge(tmp_path, "cron", "list", "--import", "my_jobs", "--name", "Other", "--json")
    assert [each["worker"] for each in json.loads(done.stdout)] == ["my_jobs.Elsewhere"]


def test_without_entries_it_says_how_to_have_some(tmp_path: Path) -> None:
    assert "put [[cron.entries]] into bridge.toml" in bridge(tmp_path, "cron", "list").stdout
    (tmp_path / "bridge.toml").write_text("[cron]\nenabled = false\n")
    assert "cron.enabled is false" in bridge(tmp_path, "cron", "list").stdout


def test_on_a_narrow_terminal_times_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    done = bridge(tmp_path, "cron", "list", columns=80)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert len(re.findall(r"│ [A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4} │", done.stdout)) == 6


def test_a_bad_entry_is_told_in_one_line_and_stops_a_start(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML.replace("*/5 * * * *", "0 0 30 2 *"))
    for arguments in (("cron", "list"), ("start", "--dry-run")):
        done = bridge(tmp_path, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: cron.entries[0]: cron expression: expected a date that some year has")
        assert len(done.stderr.splitlines()) == 1


def test_a_dry_run_shows_the_crontab(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    done = bridge(tmp_path, "start", "--dry-run")
    expected = ["*/5 * * * * my_jobs.Report", "30 2 * * * my_jobs.Report", "@reboot my_jobs.warm_up"]
    assert json.loads(done.stdout)["cron"] == expected
