"""Settings: who wins, and where each came from."""

import json
import os
import socket
from pathlib import Path

import pytest
from config_files import NAMES, loader

from bridge.config import Setting, check_node, default_node, load_settings
from bridge.errors import InvalidSetting


@pytest.fixture
def load(tmp_path):
    """A function that loads settings from a folder with a file of the given text."""
    return loader(tmp_path)


def changed(settings):
    """The settings that are not at their default."""
    return {name: (found.value, found.source) for name, found in settings.items() if found.source != "default"}


# Who wins


def test_the_defaults(load):
    settings = load()

    assert changed(settings) == {}
    assert ", ".join(sorted(settings)) == NAMES
    assert {name: found.value for name, found in settings.items()} == {
        "dsn": None,
        "name": "Oban",
        "prefix": "public",
        "node": None,
        "queues": {},
        "imports": [],
        "services": [],
        "processes": 1,
        "insert_trigger": True,
        "shutdown_grace_period": 15.0,
        "log_level": "info",
        "pool.min_size": 1,
        "pool.max_size": 10,
        "pool.timeout": 60.0,
        "pool.prepared": "auto",
        "stager.interval": 1.0,
        "stager.mode": "auto",
        "leader.interval": 30.0,
        "leader.enabled": True,
        "cron.timezone": "Etc/UTC",
        "cron.enabled": True,
        "cron.entries": [],
        "lifeline.enabled": True,
        "lifeline.interval": None,
        "lifeline.rescue_after": 45.0,
        "pruner.mode": "auto",
        "pruner.interval": 30.0,
        "pruner.limit": 10_000,
        "pruner.max_age": 86_400.0,
        "pruner.max_len": None,
        "pruner.states": {},
        "pruner.queues": {},
        "pruner.workers": {},
        "reindexer.enabled": False,
        "reindexer.schedule": "@midnight",
        "reindexer.timezone": "Etc/UTC",
        "reindexer.indexes": None,
        "reindexer.timeout": 3_600.0,
        "notifier.dsn": None,
        "notifier.enabled": True,
        "contracts.path": "contracts",
        "contracts.python": None,
        "contracts.elixir": None,
        "contracts.elixir_module": None,
    }


def test_arguments_win_over_the_environment_that_over_a_file(load):
    toml = 'prefix = "file"\nname = "File"\nnode = "file"'
    environment = {"BRIDGE_PREFIX": "environment", "BRIDGE_NAME": "Environment"}

    settings = load(toml, arguments={"prefix": "argument", "name": None}, **environment)

    assert changed(settings) == {
        "prefix": ("argument", "argument --prefix"),
        "name": ("Environment", "environment BRIDGE_NAME"),
        "node": ("file", "bridge.toml"),
    }


def test_every_setting_can_come_from_each_place(load):
    values = {
        "dsn": "postgresql://h/d",
        "name": "Other",
        "prefix": "private",
        "node": "py@host",
        "queues": "badges:10, default:5",
        "imports": "demo.workers, demo.more",
        "services": "demo.sweep.Sweep",
        "processes": "4",
        "insert_trigger": "false",
        "shutdown_grace_period": "3",
        "log_level": "debug",
        "pool.min_size": "2",
        "pool.max_size": "3",
        "pool.timeout": "4.5",
        "pool.prepared": "off",
        "stager.interval": "0.5",
        "stager.mode": "off",
        "leader.interval": "5",
        "leader.enabled": "false",
        "cron.timezone": "Europe/Vienna",
        "cron.enabled": "no",
        "cron.entries": '[{"expression": "@daily"}]',
        "lifeline.enabled": "no",
        "lifeline.interval": "7",
        "lifeline.rescue_after": "30",
        "pruner.mode": "on",
        "pruner.interval": "5",
        "pruner.limit": "100",
        "pruner.max_age": "infinity",
        "pruner.max_len": "1000",
        "pruner.states": '{"discarded": "infinity"}',
        "pruner.queues": '{"badges": {"max_len": 5}}',
        "pruner.workers": '{"My.Worker": 60}',
        "reindexer.enabled": "yes",
        "reindexer.schedule": "0 3 * * SUN",
        "reindexer.timezone": "Europe/Vienna",
        "reindexer.indexes": "oban_jobs_args_index, oban_jobs_pkey",
        "reindexer.timeout": "60",
        "notifier.dsn": "postgres://h/d",
        "notifier.enabled": "no",
        "contracts.path": "shared/contracts",
        "contracts.python": "app/contracts",
        "contracts.elixir": "lib/app/contracts",
        "contracts.elixir_module": "MyApp.Contracts",
    }
    expected = {
        **values,
        "queues": {"badges": 10, "default": 5},
        "imports": ["demo.workers", "demo.more"],
        "services": ["demo.sweep.Sweep"],
        "processes": 4,
        "insert_trigger": False,
        "shutdown_grace_period": 3.0,
        "pool.min_size": 2,
        "pool.max_size": 3,
        "pool.timeout": 4.5,
        "stager.interval": 0.5,
        "leader.interval": 5.0,
        "leader.enabled": False,
        "cron.enabled": False,
        "cron.entries": [{"expression": "@daily"}],
        "lifeline.enabled": False,
        "lifeline.interval": 7.0,
        "lifeline.rescue_after": 30.0,
        "pruner.interval": 5.0,
        "pruner.limit": 100,
        "pruner.max_len": 1000,
        "pruner.states": {"discarded": "infinity"},
        "pruner.queues": {"badges": {"max_len": 5}},
        "pruner.workers": {"My.Worker": 60},
        "reindexer.enabled": True,
        "reindexer.indexes": ["oban_jobs_args_index", "oban_jobs_pkey"],
        "reindexer.timeout": 60.0,
        "notifier.enabled": False,
    }
    variables = {name: "BRIDGE_" + name.replace(".", "_").upper() for name in values}

    by_arguments = load(arguments=values)
    by_environment = load(**{variables[name]: value for name, value in values.items()})
    by_file = load("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))

    for settings in (by_arguments, by_environment, by_file):
        assert {name: found.value for name, found in settings.items()} == expected
    assert by_arguments["stager.interval"] == Setting("stager.interval", 0.5, "argument --stager-interval")
    assert by_arguments["shutdown_grace_period"].source == "argument --shutdown-grace-period"
    assert by_environment["pool.max_size"].source == "environment BRIDGE_POOL_MAX_SIZE"
    assert {found.source for found in by_file.values()} == {"bridge.toml"}


def test_database_url_is_the_dsn_unless_there_is_a_nearer_one(load):
    url, own = "postgresql://h/url", "postgresql://h/own"

    assert changed(load(DATABASE_URL=url)) == {"dsn": (url, "environment DATABASE_URL")}
    assert changed(load(DATABASE_URL=url, BRIDGE_DSN=own)) == {"dsn": (own, "environment BRIDGE_DSN")}
    assert changed(load(arguments={"dsn": own}, DATABASE_URL=url)) == {"dsn": (own, "argument --dsn")}


def test_what_is_empty_in_the_environment_is_not_given(load):
    assert changed(load(DATABASE_URL="", BRIDGE_PREFIX="", BRIDGE_QUEUES="")) == {}


def test_the_processs_own_environment_and_folder(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("BRIDGE_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BRIDGE_NAME", "Mine")
    (tmp_path / "bridge.toml").write_text('prefix = "mine"')
    monkeypatch.chdir(tmp_path)

    assert changed(load_settings()) == {
        "name": ("Mine", "environment BRIDGE_NAME"),
        "prefix": ("mine", "bridge.toml"),
    }


# Files


def test_sections_and_types_of_a_file(load):
    settings = load(
        """
        imports = ["demo.workers"]
        insert_trigger = false
        shutdown_grace_period = 30

        [queues]
        default = 5
        badges = { limit = 10, paused = true }

        [stager]
        interval = 2
        mode = "on"

        [pool]
        max_size = 20

        [[cron.entries]]
        expression = "@daily"
        worker = "W"
        args = { n = 1 }

        [[cron.entries]]
        expression = "@hourly"
        worker = "W"
        """
    )

    assert {name: value for name, (value, _) in changed(settings).items()} == {
        "imports": ["demo.workers"],
        "insert_trigger": False,
        "shutdown_grace_period": 30,
        "queues": {"default": 5, "badges": {"limit": 10, "paused": True}},
        "stager.interval": 2,
        "stager.mode": "on",
        "pool.max_size": 20,
        "cron.entries": [
            {"expression": "@daily", "worker": "W", "args": {"n": 1}},
            {"expression": "@hourly", "worker": "W"},
        ],
    }


def test_the_table_of_pyproject(load):
    toml = (
        '[project]\nname = "app"\n[tool.other]\nx = 1\n[tool.bridge]\nprefix = "p"\n[tool.bridge.stager]\ninterval = 3'
    )

    assert changed(load(toml, "pyproject.toml")) == {
        "prefix": ("p", "pyproject.toml"),
        "stager.interval": (3, "pyproject.toml"),
    }


@pytest.mark.parametrize("toml", ["", "[project]\nname = 'app'", "[tool.other]\nprefix = 'x'", "[tool.bridge]"])
def test_a_pyproject_without_settings(load, toml):
    assert changed(load(toml or "\n", "pyproject.toml")) == {}


def test_a_file_of_our_own_goes_before_pyproject(load):
    load('[tool.bridge]\nprefix = "project"\nname = "Project"', "pyproject.toml")

    assert changed(load('prefix = "own"')) == {"prefix": ("own", "bridge.toml")}


def test_a_file_by_its_path(tmp_path):
    for name, toml in (("other.toml", 'prefix = "other"'), ("bridge.toml", 'prefix = "own"')):
        (tmp_path / name).write_text(toml)

    settings = load_settings(environment={}, file=tmp_path / "other.toml", folder=tmp_path)

    assert changed(settings) == {"prefix": ("other", "other.toml")}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"prefix = ", "Invalid value"), (b"\xff", "codec can't decode"), ("folder", "directory")],
    ids=["no TOML", "no text", "a folder"],
)
def test_a_file_that_can_not_be_read(tmp_path, content, reason):
    file = tmp_path / "bridge.toml"
    if content == "folder":
        file.mkdir()
    else:
        file.write_bytes(content)

    with pytest.raises(InvalidSetting, match=reason) as refusal:
        load_settings(environment={}, file=file)
    assert str(refusal.value).startswith(f"{file}: expected a TOML file that can be read, got ")


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path):
    with pytest.raises(InvalidSetting) as refusal:
        load_settings(environment={}, file=tmp_path / "no.toml")
    assert str(refusal.value) == f"{tmp_path / 'no.toml'}: expected a TOML file, got None; there is no such file"


# Names


def test_a_nodes_name_is_this_processs_alone(monkeypatch):
    monkeypatch.delenv("DYNO", raising=False)
    assert default_node() == f"{socket.gethostname()}.{os.getpid()}"
    assert check_node("node", default_node()) == default_node()

    monkeypatch.setenv("DYNO", "web.1")
    assert default_node() == "web.1"


def test_the_settings_of_this_project_are_readable():
    """Its own file only says where the contracts of the demo are."""
    root = Path(__file__).parents[1]

    found = changed(load_settings(environment={}, folder=root))

    assert {name.partition(".")[0] for name in found} == {"contracts"}
    assert {source for _, source in found.values()} == {"bridge.toml"}
