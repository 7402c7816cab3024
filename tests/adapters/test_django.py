"""Django, in a process of its own: its settings are the process's, and so is the choice of its driver."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "django_project.py"


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
async def test_a_project_s_own_tests_pass(installed, driver):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", PROJECT, installed, driver, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    text = told.decode()
    assert process.returncode == 0, text
    assert int(re.search(r"Ran (\d+) tests", text)[1]) >= 15, text
    assert re.search(r"^OK$", text, re.MULTILINE), text  # none was skipped
