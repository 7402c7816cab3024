"""Names of channels are Oban's, and the server's limit on them is known."""

import asyncpg
import pytest

from bridge.errors import InvalidPayload
from bridge.pubsub import channels


def test_a_channel_is_the_prefix_and_the_name():
    assert channels.channel_name("public", "insert") == "public.oban_insert"


def test_the_prefix_stands_there_literally():
    assert channels.channel_name('my-app "x"', "signal") == 'my-app "x".oban_signal'


@pytest.mark.parametrize(
    ("channel", "answer"),
    [
        ("a" * 63, True),
        ("a" * 64, False),
        ("ü" * 31, True),
        ("ü" * 32, False),
        ("", False),
        ("a\0b", False),
        ("\ud800", False),
    ],
)
def test_fits_counts_bytes(channel, answer):
    assert channels.fits(channel) is answer


async def test_fits_says_what_the_server_says(database):
    connection = await asyncpg.connect(database)
    for channel in ("a" * 63, "a" * 64, "ü" * 31, "ü" * 32, ""):
        try:
            await connection.execute("select pg_notify($1, '')", channel)
            taken = True
        except asyncpg.PostgresError:
            taken = False
        assert channels.fits(channel) is taken, channel
    await connection.close()


@pytest.mark.parametrize(("prefix", "fits"), [("p" * 51, True), ("p" * 52, False), ("p" * 60, False)])
def test_require_refuses_a_channel_that_postgresql_would_cut(prefix, fits):
    if fits:
        assert channels.require(prefix, "signal") == f"{prefix}.oban_signal"
    else:
        with pytest.raises(InvalidPayload, match="at most 63 bytes") as caught:
            channels.require(prefix, "signal")
        assert caught.value.field == "channel"


def test_require_refuses_an_empty_name():
    with pytest.raises(InvalidPayload):
        channels.require("public", "")
