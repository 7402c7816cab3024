"""What the README and the guides show works as it stands there."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from postgres.conftest import reachable_folder

from bridge.engine.schema import install, install_own
from bridge.postgres import Server
from guides.console import matches, read_commands
from guides.page import ROOT, pages, read_blocks

#: Pages of the reference and generated ones hold no code of their own.
PAGES = {str(page.relative_to(ROOT)): page for page in pages()}


@pytest.fixture
def reachable():
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
async def environment(database, tmp_path, reachable):
    """What a reader has: the project's commands, an installed database, and a home of their own."""
    conn = await asyncpg.connect(database)
    await install(conn, "public")
    await install_own(conn, "public")
    await conn.close()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "PYTEST_", "OBAN_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(tmp_path / "page")]),
        "PROJECT": str(ROOT),
        "HOME": str(tmp_path / "home"),
        "BRIDGE_POSTGRES_DIR": str(reachable / "postgres"),
        "DATABASE_URL": database,
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "160",
        "PS1": "",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_the_page_runs(name, environment, tmp_path):
    text = PAGES[name].read_text(encoding="utf-8")
    if "<!-- page: no database -->" in text:
        del environment["DATABASE_URL"]
    folder = tmp_path / "page"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    run = [sys.executable, str(ROOT / "tests" / "guides" / "run_page.py"), str(PAGES[name])]
    output = tmp_path / "output.txt"  # not a pipe, which what the page leaves behind would hold open
    with output.open("w") as file, leader_of_a_group(run, folder, environment, file) as page:
        status = page.wait(280)
    assert status == 0, output.read_text()


@contextmanager
def leader_of_a_group(run, folder, environment, output):
    """Run a command, and end what it started with it: a page that fails midway has nodes and servers running."""
    process = subprocess.Popen(
        run, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if Path(environment["BRIDGE_POSTGRES_DIR"]).exists():
            Server(Path(environment["BRIDGE_POSTGRES_DIR"])).stop()


@pytest.mark.skipif(shutil.which("elixir") is None, reason="no Elixir is installed: apt-get install elixir")
def test_every_block_of_elixir_parses(tmp_path):
    blocks = [
        (name, block)
        for name, page in PAGES.items()
        for block in read_blocks(page.read_text())
        if block.language == "elixir"
    ]
    assert blocks
    for number, (_, block) in enumerate(blocks):
        (tmp_path / f"{number}.exs").write_text(block.code)
    code = 'for file <- Path.wildcard("*.exs"), do: file |> File.read!() |> Code.string_to_quoted!(file: file)'
    found = subprocess.run(["elixir", "-e", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"{found.stderr}\n{[(n, name, block.line) for n, (name, block) in enumerate(blocks)]}"


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    page = PAGES[name]
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_few_blocks_are_left_out_and_each_says_why():
    blocks = [block for page in PAGES.values() for block in read_blocks(page.read_text())]
    left_out = [block for block in blocks if block.left_out]
    assert len(left_out) < len([block for block in blocks if block.language != "text"]) / 6, left_out


# The runner itself


def test_a_block_without_a_language_is_refused():
    with pytest.raises(ValueError, match="line 2"):
        read_blocks("\n```\nmake\n```\n")


def test_hidden_and_left_out_blocks_are_told():
    text = "<!-- python\nx = 1\n-->\n\n<!-- not run: it never ends -->\n```console\n$ sleep inf\n```\n"
    hidden, left_out = read_blocks(text)
    assert (hidden.language, hidden.code, hidden.left_out) == ("python", "x = 1\n", None)
    assert (left_out.language, left_out.left_out, left_out.line) == ("console", "it never ends", 6)


def test_commands_have_their_output_and_status():
    [first, second] = read_commands("$ ls \\\n    -l\ntotal …\n$ false\n(exit 1)\n")
    assert (first.text, first.output, first.status) == ("ls \\\n    -l", ["total …"], 0)
    assert (second.text, second.output, second.status) == ("false", [], 1)


@pytest.mark.parametrize(
    ("expected", "printed", "verdict"),
    [
        (["a", "…", "z"], ["a", "b", "c", "z"], True),
        (["a", "…"], ["a"], True),
        (["took … s"], ["took 0.3 s"], True),
        (["took … s"], ["took", "0.3 s"], False),
        (["a  b"], ["a b  "], True),
        (["a"], ["a", "b"], False),
        (["a"], [], False),
    ],
)
def test_dots_stand_for_anything(expected, printed, verdict):
    assert matches(expected, printed) is verdict
