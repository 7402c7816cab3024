"""The fixtures that need an event loop, for tests that pytest-asyncio runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from bridge.testing.plugin import open_instance, open_sandbox

if TYPE_CHECKING:
    import pytest

    from bridge.oban import Oban
    from bridge.testing.databases import Databases
    from bridge.testing.sandbox import Sandbox


@pytest_asyncio.fixture
async def _bridge_sandbox_asyncio(bridge_databases: Databases) -> AsyncIterator[Sandbox]:
    async with open_sandbox(bridge_databases) as opened:
        yield opened


@pytest_asyncio.fixture
async def _bridge_oban_asyncio(pytestconfig: pytest.Config, bridge_sandbox: Sandbox) -> AsyncIterator[Oban]:
    async with open_instance(pytestconfig, bridge_sandbox) as opened:
        yield opened
