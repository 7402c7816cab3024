"""Entries in code, in a file and on workers: what they become, and what is refused before anything starts."""

import pytest
from queues.rig import make_worker

from bridge import Worker, job, worker
from bridge.cron import Entry, Expression, load_crontab, parse_cron
from bridge.errors import InvalidSetting, InvalidWorker
from bridge.jobs import registry as global_registry
from python_demo.contracts import PrintCenter


async def nothing(_job):
    return None


@pytest.fixture(autouse=True)
def report(registry):
    return make_worker(registry, nothing, name="Report", queue="reports", tags=["r"])


@pytest.fixture
def load(registry):
    """A function that returns the lines of the option `cron`."""
    return lambda cron=None, instance="Oban": load_crontab(parse_cron(cron), registry, instance=instance)


# Where entries stand


@pytest.mark.parametrize(
    "entry",
    [
        Entry("@daily", "Report", args={"n": 1}, priority=2),
        Entry(Expression.parse("@daily"), "Report", args={"n": 1}, priority=2),
        ("@daily", "Report", {"args": {"n": 1}, "priority": 2}),
        ["@daily", "Report", {"args": {"n": 1}, "priority": 2}],
        {"expression": "@daily", "worker": "Report", "args": {"n": 1}, "priority": 2},
    ],
    ids=["entry", "parsed", "tuple", "list", "dict"],
)
def test_every_form_of_an_entry_is_the_same_job(load, entry):
    [line] = load([entry])
    found = line.job()
    assert (found.worker, found.queue, found.args, found.priority) == ("Report", "reports", {"n": 1}, 2)
    assert (line.expression.source, line.timezone, line.place) == ("@daily", "Etc/UTC", "cron[0]")


def test_a_class_and_a_name_mean_the_same_worker(load, report):
    by_class, by_name = load([("@daily", report)])[0], load([("@daily", "Report")])[0]
    assert (by_class.worker, by_class.name) == (by_name.worker, by_name.name)


def test_one_worker_may_have_any_number_of_entries(load):
    entries = [("@daily", "Report"), ("@hourly", "Report"), ("@daily", "Report", {"args": {"kind": "long"}})]
    assert len({line.name for line in load(entries)}) == 3


def test_entries_on_workers_are_found_in_the_registry(load, registry):
    make_worker(registry, nothing, name="One", cron="@hourly")
    make_worker(
        registry,
        nothing,
        name="Two",
        aliases=["Zwei"],
        cron=["@daily", {"expression": "0 6 * * *", "args": {"a": 1}, "timezone": "Europe/Vienna", "name": "six"}],
    )
    found = load([("@weekly", "Report")])
    assert [(line.worker, line.expression.source) for line in found] == [
        ("Report", "@weekly"),
        ("One", "@hourly"),
        ("Two", "@daily"),
        ("Two", "0 6 * * *"),
    ]
    assert (found[3].name, found[3].timezone, found[3].job().args) == ("six", "Europe/Vienna", {"a": 1})
    assert "Two" in found[3].place


def test_entries_on_a_worker_of_another_instance_are_that_ones(load, registry):
    make_worker(registry, nothing, name="Elsewhere", cron="@hourly", oban="Other")
    assert load() == []
    assert [line.worker for line in load(instance="Other")] == ["Elsewhere"]


def test_the_decorators_take_an_entry():
    @worker(name="cron.tests.Decorated", cron="@hourly")
    class Decorated(Worker):
        def process(self, job): ...

    @job(name="cron.tests.function", cron={"expression": "@daily", "args": {"n": 1}})
    def function(n): ...

    try:
        found = load_crontab(parse_cron(None), global_registry, instance="Oban")
        mine = {line.worker: line.expression.source for line in found if line.worker.startswith("cron.tests")}
        assert mine == {"cron.tests.Decorated": "@hourly", "cron.tests.function": "@daily"}
    finally:
        global_registry.unregister(Decorated)
        global_registry.unregister(function.worker)


def test_the_zone_of_the_section_is_for_entries_without_one(load):
    entries = [("@daily", "Report"), ("@daily", "Report", {"timezone": "Asia/Tokyo"})]
    found = load({"timezone": "Europe/Vienna", "entries": entries})
    assert [line.timezone for line in found] == ["Europe/Vienna", "Asia/Tokyo"]
    assert [line.job().meta["cron_tz"] for line in found] == ["Europe/Vienna", "Asia/Tokyo"]


@pytest.mark.parametrize("cron", [False, {"enabled": False, "entries": [("@daily", "Report")]}])
def test_switched_off_there_are_no_entries(load, registry, cron):
    make_worker(registry, nothing, name="One", cron="@hourly")
    assert load(cron) == []


def test_an_external_worker_need_not_be_known(load):
    [line] = load([Entry("@daily", "MyApp.Elsewhere", external=True, queue="printing", args={"id": 1})])
    found = line.job()
    assert (found.worker, found.queue, found.args) == ("MyApp.Elsewhere", "printing", {"id": 1})


def test_a_name_is_the_same_in_every_process_and_changes_with_what_is_inserted(load):
    def name(*entry):
        return load([entry])[0].name

    assert name("@daily", "Report") == "f998abdd"  # as other processes make it
    assert name("@daily", "Report", {"priority": 5}) == name("@daily", "Report")
    others = [("@hourly", "Report"), ("@daily", "Report", {"queue": "x"}), ("@daily", "Report", {"args": {"a": 1}})]
    others.append(("@daily", "Report", {"timezone": "Asia/Tokyo"}))
    assert len({name(*entry) for entry in [("@daily", "Report"), *others]}) == 5


def test_each_job_is_a_new_one(load):
    [line] = load([("@daily", "Report", {"schedule_in": 60})])
    first, second = line.job(), line.job()
    assert first is not second
    assert first.scheduled_at != second.scheduled_at


# What is refused


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("60 * * * *", "Report"), r"cron\[0\]: cron expression: expected a minute from 0 to 59, got '60'"),
        (("@daily", "Repotr"), r"cron\[0\]: worker: expected a worker that is known here.*did you mean 'Report'\?"),
        (("@daily", 5), r"cron\[0\]: worker: expected a class with @worker"),
        (("@daily", dict), r"cron\[0\]: worker"),
        (("@daily", "Report", {"prioriti": 1}), r"option: .* got 'prioriti'; did you mean 'priority'\?"),
        (("@daily", "Report", {"priority": 10}), r"cron\[0\]: priority: expected an integer from 0 to 9, got 10"),
        (("@daily", "Report", {"args": [1]}), r"cron\[0\]: args: expected a JSON object"),
        (("@daily", "Report", {"args": {"a": {1}}}), r"cron\[0\]: args"),
        (("@daily", "Report", {"meta": 5}), r"cron\[0\]: meta: expected a dict"),
        (("@daily", "Report", {"timezone": "Europe/Viena"}), "timezone: .* did you mean 'Europe/Vienna'"),
        (("@daily", "Report", {"timezone": 5}), "timezone"),
        (("@daily", "Report", {"name": ""}), "name: expected text of 1 to 127"),
        (("@daily", "Report", {"external": "yes"}), "external: expected True or False"),
        (("@daily", "Report", {1: 2}), "option"),
        ({"worker": "Report"}, r"cron\[0\]: expression: .* the key expression"),
        ({"expression": "@daily"}, r"cron\[0\]: worker: .* the key worker"),
        ("@daily", r"cron\[0\]: entry: expected an Entry, a dict, or"),
        (("@daily",), "entry"),
        (("@daily", "Report", "high"), "entry"),
        (None, "entry"),
    ],
)
def test_an_entry_that_could_not_be_inserted_is_refused_with_its_place(load, entry, message):
    with pytest.raises(InvalidSetting, match=message):
        load([entry])


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("@daily", "cron: expected a list of entries"),
        ({"entires": []}, "did you mean 'entries'"),
        ({"timezone": "Mars"}, "cron: timezone"),
        ({"enabled": "no"}, r"cron\.enabled: expected True or False"),
        ({"entries": "@daily"}, r"cron\.entries: expected a list"),
        ({"entries": [("@dayly", "Report")]}, r"cron\.entries\[0\]: cron expression"),
    ],
)
def test_an_option_that_is_none_is_refused(load, cron, message):
    with pytest.raises(InvalidSetting, match=message):
        load(cron)


def test_the_same_entry_twice_is_refused_until_each_has_a_name(load, registry):
    make_worker(registry, nothing, name="One", cron="@hourly")
    with pytest.raises(InvalidSetting, match=r"cron of .*One: expected an entry that cron\[0\] is not already"):
        load([("@hourly", "One")])
    assert len(load([("@hourly", "One", {"name": "again"})])) == 2


@pytest.mark.parametrize("cron", [5, [5], [("@daily", "X")], None, {1}])
def test_a_worker_whose_entry_has_no_form_is_refused_where_it_is_defined(registry, cron):
    with pytest.raises(InvalidWorker, match="cron: expected an expression, a dict"):
        make_worker(registry, nothing, name="Bad", cron=cron)


def test_a_workers_expression_is_refused_when_the_crontab_is_read(load, registry):
    make_worker(registry, nothing, name="Bad", cron="0 0 31 4 *")
    with pytest.raises(InvalidSetting, match=r"cron of .*Bad: cron expression: .* no day of 31 occurs"):
        load()


def test_an_entry_on_a_worker_names_no_other(load, registry):
    make_worker(registry, nothing, name="Bad", cron={"expression": "@daily", "worker": "Report"})
    with pytest.raises(InvalidSetting, match="worker: expected no worker here"):
        load()


def test_a_functions_entry_must_give_its_arguments(load):
    @job(name="cron.tests.needs")
    def needs(to, subject="hi"): ...

    try:
        for args in (None, {}, {"to": "a", "more": 1}):
            with pytest.raises(InvalidSetting, match=r"cron\[0\]: args: expected the arguments \(to, subject='hi'\)"):
                load([Entry("@daily", needs, args=args)])
        assert load([Entry("@daily", needs, args={"to": "a"})])[0].job().args == {"to": "a"}
    finally:
        global_registry.unregister(needs.worker)


# Contracts


def test_an_elixir_worker_with_a_contract_is_known_and_its_args_are_checked(load):
    args = {"id": 1, "name": "Zoë", "path": "/x.pdf"}
    [line] = load([("@daily", "BadgeForge.PrintCenter", {"args": args})])
    assert (line.job().queue, line.job().meta["contract"]) == ("printing", "PrintCenter@1")
    assert load([("@daily", "BadgeForge.PrintCenter", {"args": PrintCenter(**args)})])[0].name == line.name
    with pytest.raises(
        InvalidSetting, match=r"cron\[0\]: expected args that keep the contract PrintCenter@1.*badge_id"
    ):
        load([("@daily", "BadgeForge.PrintCenter", {"args": {**args, "badge_id": 1}})])


def test_a_python_worker_with_a_contract_checks_its_entry(load):
    @worker(contract=PrintCenter, name="BadgeForge.PrintCenter", cron={"expression": "@daily", "args": {"id": 0}})
    class TakenOver(Worker):
        def process(self, job): ...

    try:
        with pytest.raises(InvalidSetting, match=r"cron of .*TakenOver: expected args that keep the contract"):
            load_crontab(parse_cron(None), global_registry, instance="Oban")
    finally:
        global_registry.unregister(TakenOver)
