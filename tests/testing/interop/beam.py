"""Nodes of the plain `elixir` of this machine, and small Mix projects without dependencies."""

import os
import shutil
import textwrap
from pathlib import Path

import pytest

from bridge.testing.interop.console import EVALUATE
from bridge.testing.interop.host import Host

needs_elixir = pytest.mark.skipif(
    shutil.which("elixir") is None or shutil.which("mix") is None,
    reason="needs Elixir: no `elixir` and `mix` on the PATH (Debian: apt-get install elixir)",
)


def plain():
    """A runner whose nodes run Elixir's own applications and nothing else."""
    return Host(["elixir", "--no-halt", "-e", EVALUATE])


def alive(pid):
    """Whether a process runs, or is paused; one that nobody has waited for yet counts as ended."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def write_project(folder, *, start="Supervisor.start_link([], strategy: :one_for_one)", runtime="", broken=False):
    """Write a Mix project `shop`, whose application starts as `start` says."""
    files = {
        "mix.exs": """
            defmodule Shop.MixProject do
              use Mix.Project
              def project, do: [app: :shop, version: "1.2.3", releases: [shop: []]]
              def application, do: [mod: {Shop, []}, extra_applications: [:logger]]
            end
        """,
        "config/config.exs": "import Config\nconfig :shop, tea: :black\n",
        "config/runtime.exs": f"import Config\n{runtime}\n",
        "lib/shop.ex": f"""
            defmodule Shop do
              use Application
              def start(_type, _args) do
                {start}
              end
              {"def broken(" if broken else ""}
            end
        """,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder
