"""Functions as workers."""

import pytest

from bridge import Worker, job, worker
from bridge.errors import EncodeError, InvalidJob, InvalidWorker
from bridge.jobs import registry


def define(**options):
    @job(**options)
    def send(number, text="hi", *, loud=False):
        """Send it."""
        return number, text, loud

    return send


def test_it_is_still_a_function():
    send = define()

    assert send(1, loud=True) == (1, "hi", True)
    assert (send.__name__, send.__doc__) == ("send", "Send it.")


def test_it_is_a_worker_by_its_qualified_name():
    send = define(queue="mail")

    assert send.worker.options.name == f"{__name__}.define.<locals>.send"
    assert registry.resolve(send.worker.options.name) is send.worker
    assert issubclass(send.worker, Worker)


def test_a_jobs_args_are_the_functions_arguments_by_name():
    send = define(queue="mail", priority=3)

    built = send.new(1, "there", loud=True)

    assert built.args == {"number": 1, "text": "there", "loud": True}
    assert (built.queue, built.priority) == ("mail", 3)
    assert send.new(number=1).args == {"number": 1}


def test_a_job_calls_the_function_with_its_args():
    send = define()

    assert send.worker().process(send.new(1, loud=True)) == (1, "hi", True)


async def test_a_job_awaits_a_function_that_is_async():
    @job()
    async def fetch(url):
        return f"got {url}"

    assert await fetch.worker().process(fetch.new("x")) == "got x"
    assert await fetch("y") == "got y"


def test_other_options_of_a_job_go_through_its_worker():
    built = define().worker.new({"number": 1}, schedule_in=60, meta={"m": 1})

    assert (built.args, built.state, built.meta) == ({"number": 1}, "scheduled", {"m": 1})


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"nmber": 1}), ((1,), {"number": 2})])
def test_arguments_that_the_function_does_not_take(args, kwargs):
    with pytest.raises(TypeError):
        define().new(*args, **kwargs)


def test_a_value_that_no_row_holds():
    with pytest.raises(EncodeError, match=r"args\.number: expected a value of a JSON type"):
        define().new(object()).args_json()


@pytest.mark.parametrize(
    ("source", "parameter"),
    [
        ("lambda *numbers: 1", "*numbers"),
        ("lambda **options: 1", "**options"),
        ("lambda number, /: 1", "number"),
    ],
)
def test_arguments_without_names(source, parameter):
    with pytest.raises(InvalidWorker) as refusal:
        job(name="Nameless")(eval(source))

    assert str(refusal.value) == (
        f"@job: expected arguments with names, got '{parameter}'; a job's args are a JSON object"
    )
    assert "Nameless" not in registry.names()


def test_a_function_that_yields():
    def count(to):
        yield from range(to)

    async def count_later(to):
        yield to

    for function in (count, count_later):
        with pytest.raises(InvalidWorker, match=r"@job: expected a function without yield, got .*; return the result"):
            job()(function)


@pytest.mark.parametrize("thing", [type("Some", (), {}), print, 1, None], ids=str)
def test_what_is_no_function(thing):
    with pytest.raises(InvalidWorker, match=r"@job: expected a function, got .*; classes take @worker"):
        job()(thing)


def test_an_unknown_option_is_told_where_it_is_given():
    with pytest.raises(InvalidWorker, match="option: expected an option of a worker, got 'timout'; did you mean 'time"):
        job(timout=1)


def test_a_name_that_is_taken():
    @worker(name="Taken")
    class Some:
        def process(self, job): ...

    with pytest.raises(InvalidWorker, match=r"name: expected a name that is not taken, got 'Taken'; .*Some has it"):
        define(name="Taken")


async def test_enqueue_writes_a_row(start, conn):
    send = define(queue="mail")
    await start()

    stored = await send.enqueue(1, text="é")

    assert (
        await conn.fetchval("select args::text from oban_jobs where id = $1", stored.id) == '{"text": "é", "number": 1}'
    )
    with pytest.raises(InvalidJob):
        await send.worker.enqueue({"number": 1}, priority=10)
