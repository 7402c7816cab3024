"""Control messages: what Oban sends is understood, what would harm it can't be built."""

import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import InvalidSignal
from bridge.pubsub import signals
from bridge.pubsub.signals import Pause, Pkill, Resume, Scale, Start, Stop
from bridge.pubsub.throttle import Throttle

from .forms import golden

MEANINGS = {
    "pause any": Pause("alpha"),
    "resume any": Resume("alpha"),
    "pause local": Pause("alpha"),
    "resume node": Resume("alpha"),
    "pause node atom": Pause("alpha"),
    "pause all": Pause("*"),
    "resume all": Resume("*"),
    "pause all local": Pause("*"),
    "resume all node": Resume("*"),
    "resume all 2": Resume("*"),
    "scale": Scale("alpha", 7),
    "scale local": Scale("alpha", 8),
    "scale node": Scale("alpha", 9),
    "scale paused": Scale("alpha", 9, paused=True),
    "start": Start("gamma", 5),
    "start paused local": Start("delta", 5, paused=True, refresh_interval=5000),
    "start node": Start("eps", 5),
    "stop": Stop("gamma"),
    "stop local": Stop("delta"),
    "stop node": Stop("eps"),
    "stop string": Stop("beta"),
    "named pause local": Pause("alpha"),
    "tuple pause node": Pause("alpha"),
    "stringname pause node": Pause("alpha"),
    "Oban.cancel_job(executing job)": Pkill(25),
}
SENT = [each for each in golden("elixir_messages") if each["channel"] == "public.oban_signal"]


@pytest.fixture(autouse=True)
def refused(monkeypatch):
    fresh = Throttle()
    monkeypatch.setattr(signals, "refused", fresh)
    return fresh


@pytest.mark.parametrize("sample", SENT, ids=lambda sample: sample["elixir_call"])
def test_understands_every_signal_that_elixir_sends(sample):
    assert signals.parse(sample["decoded"]) == MEANINGS[sample["elixir_call"]]


PLAIN = [each for each in SENT if not {"local_only", "node", "refresh_interval"} & set(each["decoded"])]


@pytest.mark.parametrize("sample", PLAIN, ids=lambda sample: sample["elixir_call"])
def test_writes_a_signal_as_elixir_does(sample):
    signal = MEANINGS[sample["elixir_call"]]
    payload = signals.to_payload(signal, ident=sample["decoded"].get("ident", "any"))
    assert payload == sample["decoded"]
    signals.check(payload)


@pytest.mark.parametrize("sample", golden("oban_py_messages"), ids=lambda sample: sample["channel"])
def test_understands_the_signals_of_oban_py(sample):
    expected = {"pkill": Pkill(6), "pause": Pause("pyq"), "scale": Scale("pyq", 7)}
    on_signal = sample["channel"] == "public.oban_signal"
    assert signals.parse(sample["decoded"]) == (expected[sample["decoded"]["action"]] if on_signal else None)


def test_pkill_has_no_address():
    assert signals.to_payload(Pkill(25), ident="Oban.web-1") == {"action": "pkill", "job_id": 25}


def test_scale_says_paused_only_where_it_was_said():
    assert "paused" not in signals.to_payload(Scale("alpha", 7))
    assert signals.to_payload(Scale("alpha", 7, paused=False))["paused"] is False


@pytest.mark.parametrize("ident", ["", None, 3])
def test_an_ident_must_be_text(ident):
    with pytest.raises(InvalidSignal, match="ident: expected"):
        signals.to_payload(Pause("alpha"), ident=ident)


BAD_QUEUES = [None, "", 1, "x" * 128, "a\0b", ["alpha"]]
BAD_LIMITS = [None, "20", -5, 0, 5.0, True, 2**31, [5]]


@pytest.mark.parametrize("queue", BAD_QUEUES, ids=repr)
@pytest.mark.parametrize(
    "build",
    [Pause, Resume, Stop, lambda queue: Scale(queue, 1), lambda queue: Start(queue, 1)],
    ids=["pause", "resume", "stop", "scale", "start"],
)
def test_a_bad_queue_cant_be_built(build, queue):
    with pytest.raises(InvalidSignal) as caught:
        build(queue)
    assert caught.value.field == "queue"
    assert caught.value.value == queue


@pytest.mark.parametrize("build", [Scale, Start])
@pytest.mark.parametrize("limit", BAD_LIMITS, ids=repr)
def test_a_limit_that_stops_or_crashes_a_queue_cant_be_built(build, limit):
    with pytest.raises(InvalidSignal, match="limit: expected an integer from 1 to 2147483647"):
        build("alpha", limit)


@pytest.mark.parametrize("paused", ["yes", 1, 0, []])
@pytest.mark.parametrize("build", [Scale, Start])
def test_paused_is_true_or_false(build, paused):
    with pytest.raises(InvalidSignal, match="paused: expected true or false"):
        build("alpha", 1, paused)


@pytest.mark.parametrize("build", [Stop, lambda queue: Scale(queue, 1), lambda queue: Start(queue, 1)])
def test_only_pause_and_resume_mean_every_queue(build):
    with pytest.raises(InvalidSignal, match='only pause and resume take "\\*"'):
        build("*")


@pytest.mark.parametrize("job_id", [None, "25", 0, -1, 2.5, True, 2**63])
def test_pkill_takes_a_job_id(job_id):
    with pytest.raises(InvalidSignal, match="job_id: expected an integer"):
        Pkill(job_id)


class TestParse:
    @pytest.mark.parametrize(
        ("payload", "signal"),
        [
            ({"action": "scale", "queue": "a", "limit": 4, "local_limit": 9}, Scale("a", 4)),
            ({"action": "scale", "queue": "a", "local_limit": 9}, Scale("a", 9)),
            ({"action": "scale", "queue": "a", "limit": 4, "global_limit": {"allowed": 3}}, Scale("a", 4)),
            ({"action": "scale", "queue": "a", "limit": 4, "rate_limit": None}, Scale("a", 4)),
            ({"action": "scale", "queue": "a", "limit": 4, "paused": None}, Scale("a", 4)),
            ({"action": "scale", "queue": "a", "paused": True}, Pause("a")),
            ({"action": "scale", "queue": "a", "paused": False}, Resume("a")),
            ({"action": "start", "queue": "a", "limit": 1, "unknown_key": 1}, Start("a", 1)),
            ({"action": "start", "queue": "a", "limit": 1, "paused": None}, Start("a", 1)),
            ({"action": "pause", "queue": "a", "reason": "deploy"}, Pause("a")),
            ({"action": "pkill", "job_id": 25, "ident": "any", "queue": "a"}, Pkill(25)),
        ],
    )
    def test_leaves_keys_alone_that_it_doesnt_know(self, payload, signal, refused):
        assert signals.parse(payload) == signal
        assert refused.total == 0

    @pytest.mark.parametrize(
        "payload",
        [
            {},
            {"action": "dance"},
            {"action": None},
            {"action": ["pause"]},
            {"action": {"pause": 1}},
            {"Action": "pause", "queue": "a"},
            {"action": "scale", "queue": "a", "global_limit": {"allowed": 3}},
        ],
    )
    def test_is_silent_about_what_is_not_for_us(self, payload, refused):
        assert signals.parse(payload) is None
        assert refused.total == 0

    @pytest.mark.parametrize(
        "payload",
        [
            {"action": "pause"},
            {"action": "pause", "queue": 3},
            {"action": "stop", "queue": "*"},
            {"action": "scale", "limit": 4},
            {"action": "scale", "queue": "a", "limit": "20"},
            {"action": "scale", "queue": "a", "limit": -5},
            {"action": "scale", "queue": "a", "limit": 0},
            {"action": "scale", "queue": "a", "limit": True},
            {"action": "scale", "queue": "a", "limit": "20", "paused": True},
            {"action": "scale", "queue": "a", "paused": "yes"},
            {"action": "start", "queue": "badq"},
            {"action": "start", "queue": "a", "limit": "5"},
            {"action": "pkill"},
            {"action": "pkill", "job_id": "25"},
        ],
    )
    def test_counts_and_logs_what_it_cant_accept(self, payload, refused, caplog):
        assert signals.parse(payload) is None
        assert refused.total == 1
        assert f"ignored a {payload['action']} signal" in caplog.text

    def test_logs_at_a_bounded_rate(self, refused, caplog):
        for _ in range(50):
            signals.parse({"action": "scale", "queue": "a", "limit": "20"})
        assert refused.total == 50
        assert len(caplog.records) == 1
        assert caplog.records[0].name == "bridge.pubsub"
        assert caplog.records[0].levelno == logging.WARNING

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.dictionaries(
            st.sampled_from(["action", "queue", "limit", "local_limit", "paused", "job_id", "ident"]),
            st.sampled_from(["pause", "resume", "scale", "start", "stop", "pkill"])
            | st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
                max_leaves=3,
            ),
        )
    )
    def test_never_raises(self, payload):
        signal = signals.parse(payload)
        if signal is not None:
            signals.check(signals.to_payload(signal))


class TestCheck:
    """A raw message for the channel `signal` must not do what a typed one can't."""

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({"action": "scale", "queue": "alpha", "limit": 4, "local_limit": 9}, "local_limit"),
            ({"action": "scale", "queue": "alpha", "limit": 4, "local_only": True}, "local_only"),
            ({"action": "scale", "queue": "alpha", "limit": "20"}, "limit"),
            ({"action": "scale", "queue": "alpha", "limit": -5}, "limit"),
            ({"action": "scale", "queue": "alpha", "limit": 5, "paused": None}, "paused"),
            ({"action": "start", "queue": "badq"}, "limit"),
            ({"action": "start", "queue": "x", "limit": 1, "unknown_key": 1}, "unknown_key"),
            ({"action": "start", "queue": "x", "limit": 1, "paused": None}, "paused"),
            ({"action": "stop", "queue": 3}, "queue"),
            ({"action": "pause"}, "queue"),
            ({"action": "pkill", "job_id": "25"}, "job_id"),
            ({"action": "pause", "queue": "a", "ident": None}, "ident"),
            ({"action": "dance", "ident": 1}, "ident"),
            ({"ident": ["any"]}, "ident"),
        ],
    )
    def test_refuses_what_harms_an_elixir_node(self, payload, field):
        with pytest.raises(InvalidSignal) as caught:
            signals.check(payload)
        assert caught.value.field == field

    @pytest.mark.parametrize("payload", [{}, {"action": "dance", "with": "me"}, {"action": 3}])
    def test_passes_what_elixir_ignores(self, payload):
        signals.check(payload)


class TestScope:
    def test_ident_is_the_name_and_the_node(self):
        assert signals.ident("Oban", "host-a") == "Oban.host-a"
        assert signals.ident("MyApp.Oban2", "ex@host-a") == "MyApp.Oban2.ex@host-a"

    @pytest.mark.parametrize(
        ("payload", "mine"),
        [
            ({}, True),
            ({"ident": "any"}, True),
            ({"ident": "Oban.py@host-a"}, True),
            ({"ident": "Oban.py@host-b"}, False),
            ({"ident": "MyApp.Oban2.py@host-a"}, False),
            ({"ident": "oban.py@host-a"}, False),
            ({"ident": "Oban.py@host-a "}, False),
            ({"ident": "Any"}, False),
            ({"ident": ""}, False),
            ({"ident": None}, False),
            ({"ident": ["any"]}, False),
            ({"ident": 1}, False),
        ],
        ids=json.dumps,
    )
    def test_a_message_is_ours_with_our_ident_any_or_none(self, payload, mine):
        assert signals.in_scope(payload, "Oban.py@host-a") is mine
