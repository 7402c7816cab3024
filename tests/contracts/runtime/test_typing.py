"""What mypy sees of generated classes: `sample/uses.py` marks each line with a mistake, and it reports just these."""

import re
import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
ROOT = Path(__file__).parents[3]


def test_every_planted_mistake_is_reported_and_nothing_else():
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", str(SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    reported = {int(line) for line in re.findall(r"uses\.py:(\d+): error", done.stdout)}
    lines = (SAMPLE / "uses.py").read_text().splitlines()
    planted = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    assert len(planted) >= 18
    # A decorator's mistake is told of the line of the class, by some versions of mypy.
    decorators = {number + 1: number for number in planted if lines[number - 1].startswith("@")}
    assert {decorators.get(number, number) for number in reported} == planted, done.stdout
    assert "uses.py" in done.stdout
    assert all("uses.py" in line for line in done.stdout.splitlines()[:-1]), done.stdout
