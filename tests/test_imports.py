"""What a node or a command loads before it is asked for anything, beyond what its libraries load themselves."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import {libraries}
before = set(sys.modules)
import {module}
print(*sorted(set(sys.modules) - before), sep="\\n")
"""
LIBRARIES = "asyncio, asyncpg, dataclasses, logging, msgspec"


def loaded(module, libraries=LIBRARIES):
    script = SCRIPT.format(module=module, libraries=libraries)
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    return set(out.split())


@pytest.mark.parametrize(
    "dear",
    [
        "bridge.cli",
        "bridge.codecs.etf",
        "bridge.contracts.runtime",
        "bridge.doctor",
        "bridge.postgres",
        "bridge.queues.processes.pool",
        "difflib",
        "importlib.metadata",
        "importlib.resources",
        "jsonschema",
        "rich",
        "tempfile",
        "tomllib",
        "zoneinfo",
    ],
)
def test_a_node_loads_what_it_works_with_alone(dear):
    assert dear not in loaded("bridge")


@pytest.mark.parametrize(
    "dear", ["bridge.contracts.runtime", "email", "importlib.metadata", "jsonschema", "rich.table"]
)
def test_a_command_loads_what_it_works_with_alone(dear):
    assert dear not in loaded("bridge.cli", f"{LIBRARIES}, typer")


def test_the_listing_of_what_is_loaded_can_tell():
    assert {"bridge", "bridge.engine.engine"} <= loaded("bridge")
