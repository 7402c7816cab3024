"""The command line's root."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version_is_told(arguments):
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.output) == (0, version("oban-bridge") + "\n")
