import pytest

from .rig import Commands


@pytest.fixture
def bridge(installed, tmp_path, monkeypatch):
    """Commands on a fresh database, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BRIDGE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return Commands(installed, tmp_path)
