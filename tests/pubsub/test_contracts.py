"""What a message must be on the channels that Elixir nodes listen to."""

import pytest

from bridge.errors import InvalidPayload, InvalidSignal
from bridge.pubsub import contracts

PING = {"node": "web-1", "ping": True}
CHANNELS = ["signal", "insert", "leader", "sonar", "gossip", "metrics", "cronitor", "custom"]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("ident", [None, 1, True, ["any"], {"any": 1}], ids=str)
def test_an_ident_is_text_on_every_channel(channel, ident):
    with pytest.raises(InvalidSignal if channel == "signal" else InvalidPayload) as caught:
        contracts.check(channel, {"ident": ident})
    assert caught.value.field == "ident"
    assert "notifier crashes" in caught.value.mend


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("insert", {"queue": "default"}),
        ("insert", {"queue": "q" * 127, "state": "available", "more": [1], "ident": "any"}),
        ("leader", {"down": "Oban"}),
        ("sonar", PING),
        ("signal", {"action": "dance", "ident": "Oban.web-1"}),
        ("custom", {}),
        ("custom", {"queue": 3, "down": None, "time": 1, "ident": "anything"}),
        ("Sonar", {"time": 1}),
    ],
)
def test_what_every_reader_takes_passes(channel, payload):
    contracts.check(channel, payload)


@pytest.mark.parametrize(
    ("channel", "payload", "field"),
    [
        ("insert", {}, "queue"),
        ("insert", {"queue": None}, "queue"),
        ("insert", {"queue": 3}, "queue"),
        ("insert", {"queue": ["default"]}, "queue"),
        ("insert", {"queue": ""}, "queue"),
        ("insert", {"queue": "q" * 128}, "queue"),
        ("leader", {}, "down"),
        ("leader", {"down": None}, "down"),
        ("leader", {"down": ""}, "down"),
        ("leader", {"down": ["Oban"]}, "down"),
        ("leader", {"down": "Oban", "lock": "web-1"}, "lock"),
        ("sonar", {}, "node"),
        ("sonar", {"ping": True}, "node"),
        ("sonar", {"node": 1, "ping": True}, "node"),
        ("sonar", {"node": "", "ping": True}, "node"),
        ("sonar", {"node": "web-1"}, "ping"),
        ("sonar", {"node": "web-1", "ping": 1}, "ping"),
        ("sonar", {"node": "web-1", "ping": "ping"}, "ping"),
        ("sonar", {**PING, "time": 5}, "time"),
        ("sonar", {**PING, "ident": "any"}, "ident"),
        ("gossip", {"checks": []}, "channel"),
        ("metrics", {"metrics": []}, "channel"),
        ("cronitor", {"crontab": []}, "channel"),
    ],
)
def test_what_would_harm_a_reader_is_refused(channel, payload, field):
    with pytest.raises(InvalidPayload) as caught:
        contracts.check(channel, payload)
    assert caught.value.field == field


def test_a_signal_is_checked_as_one():
    with pytest.raises(InvalidSignal, match="limit: expected an integer"):
        contracts.check("signal", {"action": "scale", "queue": "a", "limit": "20"})


def test_the_refusal_of_a_channel_says_what_to_do():
    with pytest.raises(InvalidPayload, match="Bridge doesn't publish them yet: use a channel of your own"):
        contracts.check("gossip", {})
