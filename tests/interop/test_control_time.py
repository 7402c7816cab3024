"""How soon the other side obeys, and how soon it starts a job that it was told of."""

import statistics
import time

import pytest

from bridge import Job

from .conftest import PYTHON
from .sides import ElixirSide, PythonSide, started

#: Nothing but a message starts a job: the Elixir node stages, and so looks for jobs, once an hour.
SHARED = {"queues": {"elixir": 10}, "options": "stage_interval: 3_600_000"}
DEAF = {"stager": {"mode": "off"}, "leader": {"enabled": False}}

ROUNDS = 12  # of two signals each


def tell(record_property, what, seconds):
    """Print the figures of a measurement, and return the median."""
    median = statistics.median(seconds)
    low, middle, high = (1000 * value for value in (min(seconds), median, max(seconds)))
    text = f"median {middle:.1f} ms, {low:.1f} to {high:.1f} ms, {len(seconds)} rounds"
    print(f"{what}: {text}")
    record_property(what, text)
    return median


#: What is said in turn, with the limit and the pause that the other side is to show then; none once it is gone.
SIGNALS = {
    "pause and resume": [("pause", (), (10, True)), ("resume", (), (10, False))],
    "scale": [("scale", (7,), (7, False)), ("scale", (10,), (10, False))],
    "stop and start": [("stop", (), ()), ("start", (10,), (10, False))],
}


@pytest.mark.item("control: seen within 100 ms at the median")
@pytest.mark.parametrize("signals", SIGNALS)
@pytest.mark.parametrize("way", ["Elixir → Python", "Python → Elixir"])
async def test_the_other_side_shows_a_signal_within_100_ms(shared, python, record_property, way, signals):
    queues = {"elixir": 10}
    ex, py = ElixirSide(shared.ex), PythonSide((await python(shared.at, queues=queues)).oban)
    sender, other = (ex, py) if way.startswith("Elixir") else (py, ex)
    seconds = []

    for _ in range(ROUNDS):
        for name, arguments, shown in SIGNALS[signals]:
            start = time.monotonic()
            await getattr(sender, name)("elixir", *arguments)
            await other.shows("elixir", *shown)  # the question's way there and back is counted too
            seconds.append(time.monotonic() - start)
            await sender.shows("elixir", *shown)

    assert tell(record_property, f"{signals} {way}", seconds) < 0.1


@pytest.mark.item("control: an insert is announced to the other side")
async def test_elixir_starts_a_job_of_python_because_it_was_told(shared, python, record_property):
    py = await python(shared.at, queues={}, **DEAF)
    seconds = []

    for _ in range(20):
        start = time.monotonic()
        job = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
        await started(shared.ex, job.id)
        seconds.append(time.monotonic() - start)

    # Left to polling, each would wait for Oban's refresh, half a minute or more.
    assert tell(record_property, "insert to start Python → Elixir", seconds) < 2


@pytest.mark.item("control: an insert is announced to the other side")
async def test_python_starts_a_job_of_elixir_because_it_was_told(shared, python, record_property):
    py = await python(shared.at, **DEAF)
    seconds = []

    for _ in range(20):
        start = time.monotonic()
        number = await shared.ex.rpc('Interop.insert("interop.Ok", %{}, queue: "python")')
        assert (await py.ran.next()).id == number
        seconds.append(time.monotonic() - start)

    assert tell(record_property, "insert to start Elixir → Python", seconds) < 2


@pytest.mark.item("control: an insert is announced when it is committed")
async def test_elixir_starts_a_job_of_a_transaction_once_it_is_committed(shared, python):
    py = await python(shared.at, queues={}, **DEAF)

    async with shared.at.conn.transaction():
        job = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"), conn=shared.at.conn)
        later = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
        while (event := await shared.ex.event("started"))["id"] != later.id:
            assert event["id"] != job.id
    await started(shared.ex, job.id)


@pytest.mark.item("control: an insert is announced when it is committed")
async def test_python_starts_a_job_of_a_transaction_once_it_is_committed(shared, python):
    py = await python(shared.at, **DEAF)
    insert = 'Interop.insert("interop.Ok", %{}, queue: "python")'
    code = f"""
    BadgeForge.Repo.transaction(fn ->
      inside = {insert}
      outside = Task.await(Task.async(fn -> {insert} end))
      Bridge.Console.send("inserted", [inside, outside])
      receive do after 500 -> :ok end
    end)
    """

    await shared.ex.rpc(code)
    inside, outside = await shared.ex.event("inserted")

    assert [(await py.ran.next()).id for _ in range(2)] == [outside, inside]


@pytest.mark.item("control: an insert is announced to the other side")
async def test_a_paused_queue_starts_what_came_meanwhile_when_it_is_resumed(shared, python):
    py = await python(shared.at, **DEAF)
    here, ex = PythonSide(py.oban), ElixirSide(shared.ex)
    await ex.pause("python", node=PYTHON)
    await here.shows("python", 10, True)
    await here.pause("elixir")
    await ex.shows("elixir", 10, True)

    number = await shared.ex.rpc('Interop.insert("interop.Ok", %{}, queue: "python")')
    job = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
    await ex.resume("python")
    await here.resume("elixir")

    assert (await py.ran.next()).id == number
    await started(shared.ex, job.id)
