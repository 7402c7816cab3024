"""What the tests of Erlang terms share."""

import importlib
from collections.abc import Iterator

import pytest

from bridge.codecs.etf.writers import COMPILED, PYTHON

NOT_COMPILED = (
    "the writer of Erlang terms was not compiled (a C compiler and Python's headers do), or BRIDGE_PURE is set"
)


@pytest.fixture(scope="module", params=["python", "compiled"])
def writer(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each writer in its turn is the one that `encode` begins with."""
    writers = PYTHON if request.param == "python" else COMPILED
    if writers is None:
        pytest.skip(NOT_COMPILED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("bridge.codecs.etf.encode"), "_WRITERS", writers)
        yield request.param


@pytest.fixture(scope="session")
def compiled() -> dict[str, object]:
    """The compiled writers by profile."""
    if COMPILED is None:
        pytest.skip(NOT_COMPILED)
    return COMPILED
