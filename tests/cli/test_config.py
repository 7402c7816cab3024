import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TOML = """
dsn = "postgresql://ada:tell-nobody@db/app"
prefix = "from_file"

[queues]
badges = 10

[stager]
interval = 2
"""


def config(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "bridge", "config", *arguments],
        cwd=folder,
        env={**inherited, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_shows_each_value_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    done = config(tmp_path, "--json", BRIDGE_PREFIX="from_environment")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["prefix"] == {"value": "from_environment", "source": "environment BRIDGE_PREFIX"}
    assert found["queues"] == {"value": {"badges": 10}, "source": "bridge.toml"}
    assert found["stager.interval"] == {"value": 2, "source": "bridge.toml"}
    assert found["name"] == {"value": "Oban", "source": "default"}


def test_masks_passwords_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(TOML)
    for arguments in ((), ("--json",)):
        done = config(tmp_path, *arguments)
        assert "postgresql://ada:***@db/app" in done.stdout
        assert "tell-nobody" not in done.stdout + done.stderr


def test_shows_every_value_in_full_however_narrow_the_terminal_is(tmp_path: Path) -> None:
    dsn = f"postgresql://ada@{'a-long-name.' * 8}example:5432/{'database' * 8}"
    done = config(tmp_path, COLUMNS="40", DATABASE_URL=dsn)
    assert f'"{dsn}"' in done.stdout
    assert "environment DATABASE_URL" in done.stdout


def test_a_narrow_table_keeps_within_the_terminal(tmp_path: Path) -> None:
    done = config(tmp_path, COLUMNS="120")
    assert {len(line) <= 120 for line in done.stdout.splitlines()} == {True}


def test_shows_what_is_in_force_where_nobody_says(tmp_path: Path) -> None:
    shown = config(tmp_path, BRIDGE_LIFELINE_RESCUE_AFTER="10").stdout
    rows = {cells[1].strip(): cells[2].strip() for line in shown.splitlines() if len(cells := line.split("│")) > 3}
    assert rows["dsn"] == "(embedded server)"
    assert rows["lifeline.interval"] == "2.0"
    found = json.loads(config(tmp_path, "--json").stdout)
    assert found["lifeline.interval"] == {"value": 9.0, "source": "lifeline.rescue_after / 5"}
    assert found["dsn"]["value"] is None


def test_says_where_a_bad_value_came_from(tmp_path: Path) -> None:
    done = config(tmp_path, BRIDGE_STAGER_MODE="sometimes")
    assert done.returncode == 1
    assert done.stderr.endswith("got 'sometimes' (from environment BRIDGE_STAGER_MODE)\n")


def test_names_the_nearest_setting_for_one_that_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text("[stager]\nintervall = 1\n")
    done = config(tmp_path)
    assert done.returncode == 1
    assert "did you mean 'stager.interval'?" in done.stderr
