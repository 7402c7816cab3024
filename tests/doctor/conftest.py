"""Tables as `bridge install` leaves them, Bridge's own included."""

import pytest

from bridge.engine.schema import install_own


@pytest.fixture
async def own(conn):
    """A connection to a database that has Bridge's own tables too."""
    await install_own(conn)
    return conn
