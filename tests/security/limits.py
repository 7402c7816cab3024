"""Limits of a test's own, by the environment, as a person sets them."""

import pytest

from bridge.codecs import json as codec


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch):
    """The limits that hold where nobody has set any."""
    for field in codec.LIMITS:
        monkeypatch.delenv(f"BRIDGE_{field.upper()}_LIMIT", raising=False)
    codec.limit_of.cache_clear()
    yield
    codec.limit_of.cache_clear()


@pytest.fixture
def limits(fresh_limits, monkeypatch):
    """A function that sets limits as the environment does."""

    def limit(**bytes_of):
        for field, size in bytes_of.items():
            monkeypatch.setenv(f"BRIDGE_{field.upper()}_LIMIT", str(size))
        codec.limit_of.cache_clear()

    return limit


def document(size):
    """An object of so many bytes of JSON."""
    return {"a": "x" * (size - len('{"a":""}'))}
