"""Mix runs as it does where nobody has told it anything: a shell of an Elixir developer's may have."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _plain_mix():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MIX_ENV", "MIX_BUILD_PATH"):
            patch.delenv(name, raising=False)
        yield
