"""Workers: what a definition may say, what is refused, and what a job gets of it."""

import importlib
import math
import sys
from datetime import timedelta

import pytest

from bridge import Job, Worker, current_job, job, worker
from bridge.errors import InvalidJob, InvalidWorker
from bridge.jobs import registry

from .rig import define

OPTIONS = (
    "aliases, contract, cron, max_attempts, meta, name, oban, on_invalid, priority, queue, replace, "
    "tags, timeout, unique"
)
LONG = "w" * 128


# Definition


def test_the_defaults():
    options = define().options

    assert options.name == f"{define.__module__}.define.<locals>.Defined"
    assert (options.queue, options.max_attempts, options.priority, options.timeout) == ("default", 20, 0, None)
    assert (options.tags, options.meta, options.aliases, options.oban) == ((), {}, (), "Oban")


def test_everything():
    options = define(
        name="Mail.Send",
        aliases=["Mail.Old"],
        queue="mail",
        max_attempts=5,
        priority=2,
        tags=["X"],
        meta={"m": 1},
        timeout=timedelta(minutes=1),
        oban="Other",
    ).options

    assert (options.name, options.aliases, options.queue, options.max_attempts) == (
        "Mail.Send",
        ("Mail.Old",),
        "mail",
        5,
    )
    assert (options.priority, options.tags, options.meta, options.timeout) == (2, ("x",), {"m": 1}, 60.0)
    assert options.oban == "Other"


def test_a_worker_is_known_by_its_name_and_aliases():
    defined = define(name="Mail.Send", aliases=("Mail.Old", "Mail.Older"))

    assert [registry.resolve(name) for name in ("Mail.Send", "Mail.Old", "Mail.Older")] == [defined] * 3


def test_a_plain_class_becomes_a_worker():
    class Base:
        def greet(self):
            return "hello"

    @worker(queue="plain")
    class Plain(Base):
        """What it does."""

        def __init__(self):
            super().__init__()
            self.made = True

        def process(self, job):
            return f"{self.greet()} {job.worker} {super().greet()}"

    assert issubclass(Plain, Worker)
    assert (Plain.__name__, Plain.__module__, Plain.__doc__) == ("Plain", __name__, "What it does.")
    assert Plain().made
    assert Plain().process(Plain.new()) == f"hello {Plain.options.name} hello"
    assert Plain().backoff(Job("W")) >= 15
    assert Plain.new({"a": 1}).queue == "plain"


def test_a_plain_class_keeps_its_own_backoff_and_timeout():
    @worker()
    class Plain:
        def process(self, job): ...

        def backoff(self, job):
            return 3

        def timeout(self, job):
            return 4

    assert (Plain().backoff(Job("W")), Plain().timeout(Job("W"))) == (3, 4)


def test_an_inherited_process_will_do():
    class Base(Worker):
        def process(self, job):
            return "base"

    @worker(name="Heir")
    class Heir(Base): ...

    assert registry.resolve("Heir") is Heir
    assert Heir().process(Job("W")) == "base"


def test_process_may_be_async_or_static():
    @worker(name="Async")
    class Async(Worker):
        async def process(self, job): ...

    @worker(name="Static")
    class Static(Worker):
        @staticmethod
        def process(job): ...

    assert {"Async", "Static"} <= set(registry.names())


def test_the_timeout_is_the_options_unless_overridden():
    assert define(timeout=3).options.timeout == 3
    assert define(timeout=3)().timeout(Job("W")) == 3
    assert define()().timeout(Job("W")) is None


REFUSALS = {
    "an unknown option": ({"quue": "a"}, "option: expected an option of a worker, got 'quue'; did you mean 'queue'?"),
    "an option that is none": ({"xyz": 1}, f"option: expected an option of a worker, got 'xyz'; known: {OPTIONS}"),
    "name: too long": (
        {"name": LONG},
        f"name: expected text of 1 to 127 characters, got '{'w' * 78}…; this has 128",
    ),
    "name: none": ({"name": ""}, "name: expected text of 1 to 127 characters, got ''; this has 0"),
    "name: no text": ({"name": None}, "name: expected text of 1 to 127 characters, got None"),
    "name: NUL": (
        {"name": "a\0"},
        "name: expected text without NUL characters, got 'a\\x00'; PostgreSQL can't store them",
    ),
    "aliases: text": ({"aliases": "Old"}, "aliases: expected a list of names, got 'Old'"),
    "aliases: a number": ({"aliases": 1}, "aliases: expected a list of names, got 1"),
    "aliases: no name within": ({"aliases": [1]}, "aliases: expected text of 1 to 127 characters, got 1"),
    "queue: none": ({"queue": ""}, "queue: expected text of 1 to 127 characters, got ''; this has 0"),
    "priority": ({"priority": 10}, "priority: expected an integer from 0 to 9, got 10"),
    "max_attempts": ({"max_attempts": 0}, "max_attempts: expected an integer from 1 to 2000000000, got 0"),
    "tags": ({"tags": "x"}, "tags: expected a list of texts, got 'x'; put it into brackets"),
    "meta": ({"meta": [1]}, "meta: expected a JSON object, such as a dict, got [1]; wrap it: meta={'value': …}"),
    "timeout: zero": ({"timeout": 0}, "timeout: expected more than 0 seconds, got 0; leave it out for no limit"),
    "timeout: text": ({"timeout": "1"}, "timeout: expected a number of seconds or a timedelta, got '1'"),
    "timeout: infinity": (
        {"timeout": math.inf},
        "timeout: expected a number of seconds or a timedelta, got inf",
    ),
    "timeout: more than a float holds": (
        {"timeout": 10**400},
        f"timeout: expected a number of seconds or a timedelta, got 1{'0' * 78}…",
    ),
    "oban": ({"oban": None}, "oban: expected text of 1 to 127 characters, got None"),
}


@pytest.mark.parametrize(("options", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refused(options, message):
    before = registry.names()

    with pytest.raises(InvalidWorker) as refusal:
        define(**options)

    assert str(refusal.value) == message
    assert registry.names() == before


def test_a_default_name_that_is_too_long():
    with pytest.raises(InvalidWorker, match=r"name: expected text of 1 to 127 characters, got .*; this has 1\d\d"):

        @worker()
        class AnExtraordinarilyLongNameForAClassWhoseModuleAndTestFunctionAreInItsQualifiedNameTooSoThatItDoesNotFit(
            Worker
        ):
            def process(self, job): ...


def test_a_class_without_process():
    for cls in (type("Nothing", (), {}), type("Nothing", (Worker,), {})):
        with pytest.raises(InvalidWorker, match=r"process: expected a method process\(self, job\), got .*; define one"):
            worker()(cls)


@pytest.mark.parametrize("name", ["process", "backoff", "timeout"])
def test_a_value_where_a_method_belongs(name):
    cls = type("Broken", (Worker,), {"process": lambda self, job: None, name: 30})

    with pytest.raises(InvalidWorker) as refusal:
        worker()(cls)

    assert str(refusal.value) == f"{name}: expected a method, got 30; options go into the decorator"


def test_a_process_that_yields():
    """Its body would never run, and the job would be completed."""

    class Yields:
        def process(self, job):
            yield 1

    class YieldsLater:
        async def process(self, job):
            yield 1

    for cls in (Yields, YieldsLater):
        with pytest.raises(
            InvalidWorker, match=r"process: expected a function without yield, got .*; return the result"
        ):
            worker()(cls)


def test_a_function_takes_the_other_decorator():
    def function(): ...

    with pytest.raises(InvalidWorker, match=r"@worker: expected a class, got <function .*; functions take @job"):
        worker()(function)


# Names


def test_a_name_that_another_class_has():
    define(name="Taken")

    with pytest.raises(InvalidWorker) as refusal:

        @worker(name="Taken")
        class Other(Worker):
            def process(self, job): ...

    path = f"{define.__module__}.define.<locals>.Defined"
    assert str(refusal.value) == f"name: expected a name that is not taken, got 'Taken'; {path} has it already"


def test_an_alias_that_another_class_has_registers_nothing():
    define(name="Taken")

    with pytest.raises(InvalidWorker, match="expected a name that is not taken, got 'Taken'"):

        @worker(name="Free", aliases=["Taken"])
        class Other(Worker):
            def process(self, job): ...

    assert "Free" not in registry.names()


def test_a_module_that_is_reloaded_replaces_its_workers(tmp_path, monkeypatch):
    (tmp_path / "some_workers.py").write_text(
        "from bridge import worker\n@worker(aliases=['Old'])\nclass Send:\n    def process(self, job): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("some_workers")
    first = module.Send
    assert registry.resolve("some_workers.Send") is registry.resolve("Old") is first

    importlib.reload(module)

    assert module.Send is not first
    assert registry.resolve("some_workers.Send") is registry.resolve("Old") is module.Send
    del sys.modules["some_workers"]


# New jobs


def test_a_new_job_has_the_workers_options():
    job = define(name="W", queue="q", max_attempts=3, priority=4, tags=["t"], meta={"m": 1}).new({"a": 1})

    assert (job.worker, job.args, job.queue, job.max_attempts) == ("W", {"a": 1}, "q", 3)
    assert (job.priority, job.tags, job.meta, job.state) == (4, ["t"], {"m": 1}, "available")


def test_its_own_options_win_and_meta_is_merged():
    defined = define(queue="q", tags=["t"], meta={"m": 1, "n": 1})

    job = defined.new({}, queue="other", priority=1, tags=["u"], meta={"n": 2, "o": 3}, schedule_in=5)

    assert (job.queue, job.priority, job.tags, job.state) == ("other", 1, ["u"], "scheduled")
    assert job.meta == {"m": 1, "n": 2, "o": 3}
    assert defined.options.meta == {"m": 1, "n": 1}


def test_meta_of_none_is_no_meta():
    assert define(meta={"m": 1}).new({}, meta=None).meta == {"m": 1}


def test_a_new_job_shares_nothing_with_its_worker():
    defined = define(tags=["t"], meta={"m": 1})

    job = defined.new()
    job.tags.append("u")
    job.meta["n"] = 1

    assert (defined.new().tags, defined.new().meta, defined.new().args) == (["t"], {"m": 1}, {})


def test_an_option_that_a_job_has_not():
    with pytest.raises(InvalidJob, match="option: expected an option of a job, got 'max_attempt'; did you mean"):
        define().new({}, max_attempt=1)


def test_a_class_that_was_not_registered_builds_no_jobs():
    """An heir's jobs would have its base's name, and run as such."""

    class Bare(Worker):
        def process(self, job): ...

    heir = type("Heir", (define(name="Base"),), {})

    for cls in (Bare, heir):
        with pytest.raises(InvalidWorker, match=r"worker: expected a registered class, got .*; put @worker\(\) on it"):
            cls.new()


# Beside them


def test_outside_of_a_job_there_is_none():
    assert current_job() is None


def test_the_decorators_need_no_parentheses():
    @worker
    class Bare(Worker):
        async def process(self, job):
            return job.args

    @job
    def add(a, b):
        return a + b

    try:
        assert Bare.new({"a": 1}).worker == f"{__name__}.test_the_decorators_need_no_parentheses.<locals>.Bare"
        assert (add(1, b=2), add.new(1, b=2).args) == (3, {"a": 1, "b": 2})
    finally:
        registry.unregister(Bare)
        registry.unregister(add.worker)
