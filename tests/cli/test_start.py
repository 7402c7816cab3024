"""`bridge start`: what it runs, logs and warns of, and what it would run."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge import Job, Oban

from .node_process import WORKERS, enqueue, options, run


async def test_runs_jobs_and_logs_them_in_the_published_shape(node: Any, installed: str) -> None:
    running = node(*options(installed))
    assert running.until("bridge.started")["workers"] == ["Tests.Greet", "Tests.Held", "Tests.Slow", "Tests.Stubborn"]
    [job] = await enqueue(installed, Job("Tests.Greet", args={"name": "Ada\n"}, tags=["a"], meta={"m": 1}))
    line = running.until("oban.job.stop")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line["time"])) < timedelta(minutes=1)
    assert line["time"].endswith("Z")
    assert list(line) == [
        "time", "event", "level", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags",
        "state", "duration", "queue_time",
    ]  # fmt: skip
    assert (line["id"], line["worker"], line["state"]) == (job.id, "Tests.Greet", "completed")
    assert (line["args"], line["meta"], line["tags"]) == ({"name": "Ada\n"}, {"m": 1}, ["a"])


async def test_warns_of_what_will_never_run(node: Any, installed: str) -> None:
    running = node("--dsn", installed, "--queues", "other:1", "--import", "work_here")
    line = running.until("bridge.log", level="warning")
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}[.][0-9]{3}Z", line["time"])
    assert list(line) == ["time", "event", "level", "logger", "message"]
    assert line["message"] == "worker Tests.Greet has the queue default, which doesn't run here: add it to --queues"
    idle = node("--dsn", installed, "--queues", "default:1")
    assert "no worker is registered" in idle.until("bridge.log", level="warning")["message"]


async def test_a_workers_error_tells_of_nothing_but_the_worker(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"wrong": 1}))
    running.until("oban.job.exception")
    async with Oban(dsn=installed) as oban:
        found = await oban.get_job(job.id or 0)
    assert found is not None
    assert found.errors[0]["error"].count("Traceback") == 1
    assert "uvloop" not in found.errors[0]["error"]


def test_services_of_the_settings_run(node: Any, installed: str) -> None:
    node(*options(installed), BRIDGE_SERVICES="work_here.Sweep").until("swept")


def test_a_dry_run_shows_what_would_run_and_hides_the_password(tmp_path: Path) -> None:
    (tmp_path / "work_here.py").write_text(WORKERS)
    dsn = "postgresql://ada:tell-nobody@nowhere.invalid/x"
    done = run(tmp_path, "start", "--dsn", dsn, "--import", "work_here", "--queues", "a:1,b:20", "--dry-run")
    shown = json.loads(done.stdout)
    assert shown["queues"] == {"a": 1, "b": 20}
    assert shown["workers"] == ["Tests.Greet", "Tests.Held", "Tests.Slow", "Tests.Stubborn"]
    assert shown["dsn"] == "postgresql://ada:***@nowhere.invalid/x"
