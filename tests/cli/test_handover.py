"""`bridge start` becomes a process without what has parsed its command line, and stays the same to everybody else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .rig import PATIENCE

WORKERS = """
import json, os, sys
from bridge import Worker, worker

@worker(queue="default", name="Tests.Told")
class Told(Worker):
    async def process(self, job): ...

print(json.dumps({
    "pid": os.getpid(),
    "parsers": sorted({"typer", "click", "pydantic", "rich"} & set(sys.modules)),
    "variables": [name for name in os.environ if name.startswith("_BRIDGE")],
    "arguments": open("/proc/self/cmdline").read().split("\\0")[1:-1] if os.path.exists("/proc/self/cmdline") else None,
}), flush=True)
"""

COMMANDS = {
    "module": [sys.executable, "-m", "bridge"],
    "script": [str(Path(sys.executable).with_name("bridge"))],
    "safe": [sys.executable, "-P", "-W", "error::ResourceWarning", "-m", "bridge"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_node_keeps_nothing_of_what_parsed_its_command_line(
    tmp_path: Path, installed: str, command: list[str]
) -> None:
    (tmp_path / "told_here.py").write_text(WORKERS)
    started = [*command, "start", "--dsn", installed, "--import", "told_here", "--queues", "default:1"]
    process = subprocess.Popen(started, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = (json.loads(line) for line in process.stdout)
        told = next(lines)
        assert next(line for line in lines if line["event"] == "bridge.started")["workers"] == ["Tests.Told"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert (told["pid"], told["parsers"], told["variables"]) == (process.pid, [], [])
        if told["arguments"] is not None:
            assert told["arguments"][-7:] == started[-7:]
    finally:
        process.kill()
        process.communicate()


STRANGE = ["", ":", "abc", "0", "99", "{pipe}", "1:{pipe}"]
DAMAGED = ["{pid}:99", "{pid}:0", "{pid}:x", "{pid}:99999999999", "{pid}:{pipe}"]


@pytest.mark.parametrize("value", STRANGE + DAMAGED)
def test_what_is_no_order_of_its_own_is_ignored(tmp_path: Path, value: str) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"not an order")
    begins = f"""
import os, sys
os.environ["_BRIDGE_START"] = {value!r}.format(pid=os.getpid(), pipe={reading})
sys.argv = ["bridge", "version"]
from bridge.cli import main
main()
"""
    if value in DAMAGED:
        os.close(writing)
    done = subprocess.run(
        [sys.executable, "-c", begins],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=[reading],
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(reading)
    if value in STRANGE:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout[0].isdigit()


def test_what_no_pipe_holds_is_run_as_it_is(tmp_path: Path) -> None:
    modules = ",".join(f"missing_{number}" for number in range(3000))
    done = subprocess.run(
        [*COMMANDS["module"], "start", "--dsn", "postgresql://localhost/x", "--import", modules, "--queues", "a:1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: imports")
    assert "missing_0" in done.stderr
    assert "Traceback" not in done.stderr
