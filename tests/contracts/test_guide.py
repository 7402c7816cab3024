"""The guide to contracts: what it shows is so."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from bridge.contracts.evolve.rules import CATEGORIES, RULES

GUIDE = Path(__file__).parents[2].joinpath("docs/contracts.md").read_text("utf-8")
BLOCKS = re.findall(r"```json\n(.+?)```", GUIDE, re.DOTALL)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["contracts", *arguments])


@pytest.fixture
def contracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's first example, saved as it says."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "contracts"
    folder.mkdir()
    for name, text in zip(("generate_badge", "badge_file"), BLOCKS, strict=False):
        (folder / f"{name}.json").write_text(text)
    settings = re.search(r"```toml\n(.+?)```", GUIDE, re.DOTALL)
    assert settings is not None
    (tmp_path / "bridge.toml").write_text(settings[1].replace("../web", "web"))
    return folder


def test_the_first_example_builds_as_it_is_copied(contracts: Path) -> None:
    result = run("build")
    assert result.exit_code == 0, result.output
    assert contracts.with_name("app").joinpath("contracts/generate_badge.py").is_file()


def test_the_ignored_change_is_accepted(contracts: Path, tmp_path: Path) -> None:
    old = contracts / "generate_badge.json"
    document = json.loads(old.read_text())
    del document["properties"]["company"]
    document["x-job"]["version"] = 2
    new = tmp_path / "new"
    new.mkdir()
    (new / "badge_file.json").write_text(BLOCKS[1])
    (new / old.name).write_text(json.dumps(document))
    assert run("diff", str(old), str(new / old.name)).exit_code == 1
    [entry] = [block for block in BLOCKS if '"x-ignore"' in block]
    document |= json.loads(entry)
    document["x-ignore"][0].pop("until")
    (new / old.name).write_text(json.dumps(document))
    result = run("diff", str(old), str(new / old.name))
    assert (result.exit_code, "1 accepted" in result.output) == (0, True)


def test_it_lists_every_rule_with_what_it_breaks() -> None:
    found = re.findall(r"^\| `([A-Z_]+)` \| ([A-Z, —]+) \| (.+) \|$", GUIDE.partition("\n## Rules\n")[2], re.MULTILINE)
    assert found == [
        (rule.name, ", ".join(name for name in CATEGORIES if name in rule.breaks) or "—", rule.purpose)
        for rule in RULES.values()
    ]
