"""One Elixir for the tests of a process, with a number for each module that they load into it."""

import itertools
from collections.abc import Iterator

import pytest

from contracts.elixir.beam import MISSING, Elixir, is_missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if is_missing():
        for item in items:
            if "elixir" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def running() -> Iterator[Elixir]:
    with Elixir() as running:
        yield running


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)
