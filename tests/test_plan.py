"""What may be said of an instance, and how a refusal names what is wrong."""

import inspect
from datetime import timedelta
from pathlib import Path

import pytest

from bridge import Oban, QueueOptions, SyncOban
from bridge.config import load_settings
from bridge.errors import InvalidSetting
from bridge.maintenance import Service

REFUSED = {
    "dsn": {"dsn": "mysql://x"},
    "name": {"name": ""},
    "prefix": {"prefix": "x" * 64},
    "node": {"node": "a b"},
    "queues": {"queues": [("default", 1)]},
    "queues.default.limit": {"queues": {"default": 0}},
    "shutdown_grace_period": {"shutdown_grace_period": "soon"},
    "shutdown_grace_period: expected": {"shutdown_grace_period": -1},
    "insert_trigger": {"insert_trigger": "yes"},
    "did you mean 'interval'": {"stager": {"intervall": 1}},
    "stager.interval": {"stager": {"interval": 0}},
    "stager.mode": {"stager": {"mode": "sometimes"}},
    "notifier.enabled": {"notifier": {"enabled": "no"}},
    "notifier.dsn": {"notifier": {"dsn": "mysql://x"}},
    "pool_options.max_size": {"pool_options": {"max_size": 0}},
    "pool_options.min_size": {"pool_options": {"min_size": -1}},
    "pool_options.min_size: expected an integer from 0 to 2": {"pool_options": {"min_size": 5, "max_size": 2}},
    "pool_options.timeout": {"pool_options": {"timeout": 0}},
    "services.0.: expected an object of a subclass": {"services": [Service]},
    "services.0.: expected an object": {"services": 5},
}


@pytest.mark.parametrize("told", REFUSED)
def test_an_option_of_the_wrong_kind_is_refused_by_name(told):
    with pytest.raises(InvalidSetting, match=told):
        Oban(**{"dsn": "postgresql://localhost/x", **REFUSED[told]})


def test_either_a_dsn_or_a_pool_is_given():
    with pytest.raises(InvalidSetting, match="either dsn or pool"):
        Oban()
    with pytest.raises(InvalidSetting, match="either dsn or pool"):
        Oban(dsn="postgresql://localhost/x", pool=object())


def test_a_refused_dsn_is_not_shown():
    with pytest.raises(InvalidSetting) as caught:
        Oban(dsn="mysql://app:secret@localhost/x")
    assert "secret" not in str(caught.value)


async def test_what_is_given_can_be_read(start):
    oban = await start(name="MyApp.Oban", node="worker-1", shutdown_grace_period=timedelta(seconds=1))
    assert (oban.name, oban.node, oban.prefix) == ("MyApp.Oban", "worker-1", "public")


async def test_queues_take_options_of_all_kinds(start):
    oban = await start(queues={"one": 3, "two": {"limit": 4, "paused": True}, "three": QueueOptions("three", limit=5)})
    found = {info.queue: (info.limit, info.paused) for info in oban.check_all_queues()}
    assert found == {"one": (3, False), "two": (4, True), "three": (5, False)}


@pytest.mark.parametrize("kind", [Oban, SyncOban])
def test_an_unknown_option_is_refused_and_the_nearest_one_named(kind):
    with pytest.raises(InvalidSetting, match=f"an option of {kind.__name__}, got 'prefx'; did you mean 'prefix'?"):
        kind(dsn="postgresql://localhost/x", prefx="private")


def test_every_option_of_an_instance_is_a_setting_too():
    """But those that only code can give, and how to connect, which `bridge start --wait` says."""
    settings = {
        name.replace("pool.", "pool_options.") for name in load_settings(environment={}, folder=Path("/nowhere"))
    }
    options = set(inspect.signature(Oban).parameters) - {"pool", "registry", "testing", "connect", "unknown"}
    assert options - settings == {name.partition(".")[0] for name in settings if "." in name} - {"contracts"}
    for section in ("stager", "leader", "lifeline", "pruner", "reindexer", "notifier", "pool_options"):
        with pytest.raises(InvalidSetting) as caught:
            Oban(dsn="postgresql://localhost/x", **{section: {"": 1}})
        named = caught.value.mend.removeprefix("known: ").split(", ")
        assert {f"{section}.{option}" for option in named} == {name for name in settings if name.startswith(section)}
