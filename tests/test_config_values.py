"""Settings: the values that each takes, and what is refused, with the place where it was said."""

import pytest
from config_files import NAMES, loader

from bridge.config import check_node, check_prefix
from bridge.errors import InvalidSetting


@pytest.fixture
def load(tmp_path):
    """A function that loads settings from a folder with a file of the given text."""
    return loader(tmp_path)


# Refusals

DSN = "expected postgresql://user@host:port/database, got 'another text'"
REFUSALS = {
    "an unknown name": ('prefx = "a"', "setting: expected a setting's name, got 'prefx'; did you mean 'prefix'?"),
    "an unknown name in a section": (
        "[stager]\nintervall = 1",
        "setting: expected a setting's name, got 'stager.intervall'; did you mean 'stager.interval'?",
    ),
    "a section that is none": (
        "[xyz]\na = 1",
        f"setting: expected a setting's name, got 'xyz.a'; known: {NAMES}",
    ),
    "a value for a section": (
        "stager = 1",
        "setting: expected a setting's name, got 'stager'; did you mean 'stager.mode'?",
    ),
    "a section in a section": (
        "[stager.interval]\nseconds = 1",
        "stager.interval: expected a number from 0.01 to 3600, got {'seconds': 1}",
    ),
    "entries that are none": (
        "[cron]\nentries = ['@daily']",
        "cron.entries: expected tables under [[cron.entries]] in the file, or a JSON list of objects, got ['@daily']",
    ),
    "entries as text": (
        "[cron]\nentries = '@daily'",
        "cron.entries: expected tables under [[cron.entries]] in the file, or a JSON list of objects, got '@daily'",
    ),
    "text: a number": ("name = 1", "name: expected text, got 1"),
    "text: empty": ('name = ""', "name: expected text, got ''"),
    "dsn: another database's": ('dsn = "mysql://h/d"', f"dsn: {DSN}"),
    "dsn: a number": ("dsn = 1", f"dsn: {DSN}"),
    "prefix: too long": (
        f'prefix = "{"ü" * 32}"',
        f"prefix: expected a schema's name of at most 63 bytes, got '{'ü' * 32}'",
    ),
    "node: white space": ('node = "a b"', "node: expected a name without white space, got 'a b'"),
    "queues: a number": ("queues = 1", "queues: expected names and limits, such as badges:10,default:5, got 1"),
    "queues: no limit": (
        'queues = "badges"',
        "queues: expected a name and a limit, such as badges:10, got 'badges'",
    ),
    "queues: a limit that is none": (
        'queues = "badges:10,mail:many"',
        "queues: expected a name and a limit, such as badges:10, got 'mail:many'",
    ),
    "queues: no name": ('queues = " :10"', "queues: expected a name and a limit, such as badges:10, got ':10'"),
    "queues: below zero": (
        'queues = "badges:-1"',
        "queues: expected a name and a limit, such as badges:10, got 'badges:-1'",
    ),
    "imports: a number": ("imports = 1", "imports: expected a list of module names, got 1"),
    "imports: a number within": ("imports = [1]", "imports: expected text, got 1"),
    "a number: text": (
        '[stager]\ninterval = "soon"',
        "stager.interval: expected a number from 0.01 to 3600, got 'soon'",
    ),
    "a number: too low": ("[stager]\ninterval = 0", "stager.interval: expected a number from 0.01 to 3600, got 0"),
    "a number: too high": (
        "shutdown_grace_period = 1e9",
        "shutdown_grace_period: expected a number from 0 to 86400, got 1000000000.0",
    ),
    "a number: infinity": ("[pool]\ntimeout = inf", "pool.timeout: expected a number from 0.1 to 86400, got inf"),
    "a number: NaN": ("[pool]\ntimeout = nan", "pool.timeout: expected a number from 0.1 to 86400, got nan"),
    "a number: a boolean": ("[pool]\ntimeout = true", "pool.timeout: expected a number from 0.1 to 86400, got True"),
    "a number: more than a float holds": (
        f"[pool]\ntimeout = 1{'0' * 400}",
        f"pool.timeout: expected a number from 0.1 to 86400, got 1{'0' * 78}…",
    ),
    "a whole number: a fraction": ("[pool]\nmax_size = 1.5", "pool.max_size: expected a whole number, got 1.5"),
    "a whole number: too low": ("[pool]\nmax_size = 0", "pool.max_size: expected a number from 1 to 1000, got 0"),
    "a choice": ('log_level = "loud"', "log_level: expected one of debug, info, warning, error, got 'loud'"),
    "a module: a path": (
        '[contracts]\nelixir_module = "my_app/contracts"',
        "contracts.elixir_module: expected an Elixir module's name, such as MyApp.Contracts, got 'my_app/contracts'",
    ),
    "true or false": ('insert_trigger = "maybe"', "insert_trigger: expected true or false, got 'maybe'"),
}


@pytest.mark.parametrize(("toml", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refused(load, toml, message):
    with pytest.raises(InvalidSetting) as refusal:
        load(toml)

    assert str(refusal.value) == f"{message} (from bridge.toml)"
    assert refusal.value.source == "bridge.toml"
    assert isinstance(refusal.value, ValueError)


@pytest.mark.parametrize("toml", ["tool = 1", "[tool]\nbridge = 'x'"])
def test_a_table_of_pyproject_that_is_none(load, toml):
    with pytest.raises(InvalidSetting, match=r"(tool|bridge): expected a table, got"):
        load(toml, "pyproject.toml")


def test_an_unknown_argument(load):
    with pytest.raises(InvalidSetting, match="expected a setting's name, got 'queue'; did you mean 'queues'"):
        load(arguments={"queue": "a:1"})


def test_a_bad_value_from_the_environment(load):
    with pytest.raises(InvalidSetting) as refusal:
        load(BRIDGE_STAGER_MODE="sometimes")

    expected = "stager.mode: expected one of auto, on, off, got 'sometimes' (from environment BRIDGE_STAGER_MODE)"
    assert str(refusal.value) == expected


def test_a_bad_argument_is_told_as_that_whatever_else_says_it_too(load):
    with pytest.raises(InvalidSetting) as refusal:
        load('prefix = "file"', arguments={"prefix": "x" * 64}, BRIDGE_PREFIX="environment")

    assert str(refusal.value).endswith("(from argument --prefix)")


def test_a_bad_dsn_is_told_by_its_source_and_never_shown(load):
    with pytest.raises(InvalidSetting) as refusal:
        load(DATABASE_URL="mysql://ada:tell-nobody@host/db")

    assert str(refusal.value).endswith("(from environment DATABASE_URL)")
    assert "tell-nobody" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("badges:10", {"badges": 10}),
        (" badges : 10 , default:5 ,", {"badges": 10, "default": 5}),
        ("a:b:3", {"a:b": 3}),
        ("größe 🦉:1", {"größe 🦉": 1}),
        (",", {}),
    ],
)
def test_queues_as_text(load, text, queues):
    assert load(arguments={"queues": text})["queues"].value == queues


@pytest.mark.parametrize(
    ("given", "modules"),
    [("a, b", ["a", "b"]), ("a, ,b,", ["a", "b"]), (["a", ""], ["a"]), (("x.y",), ["x.y"])],
    ids=str,
)
def test_imports(load, given, modules):
    assert load(arguments={"imports": given})["imports"].value == modules


@pytest.mark.parametrize(
    ("given", "value"),
    [("true", True), ("YES", True), ("1", True), (1, True), (True, True), ("no", False), ("0", False), (False, False)],
    ids=repr,
)
def test_true_or_false(load, given, value):
    assert load(arguments={"insert_trigger": given})["insert_trigger"].value is value


# Names


@pytest.mark.parametrize("prefix", ["public", "größe", "a b", "x" * 63, '"', "{prefix}"])
def test_a_schemas_name(prefix):
    assert check_prefix("prefix", prefix) == prefix


@pytest.mark.parametrize("prefix", ["", "x" * 64, "ü" * 32, "a\0", "\ud800", None, 1])
def test_what_is_no_schemas_name(prefix):
    with pytest.raises(InvalidSetting):
        check_prefix("prefix", prefix)


@pytest.mark.parametrize("node", ["a b", "a\n", "\t", "", None, "a\u00a0b"])
def test_what_is_no_nodes_name(node):
    with pytest.raises(InvalidSetting):
        check_node("node", node)
