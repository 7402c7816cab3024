"""Jobs that cross: put in by one language, run by the other's `interop.Ok`."""

import json

from bridge import Job

from .conftest import ELIXIR, PYTHON, done, ran
from .rows import RECENT, ran_by

INSERT = "Interop.Jobs.insert(worker, args, opts)"


def ended(node, **columns):
    """What all columns are once a node has completed the job, as arguments of `check`."""
    times = {"attempted_at": RECENT, "completed_at": RECENT}
    return {"state": "completed", "attempt": 1, "attempted_by": ran_by(node), **times, **columns}


def in_elixir(**columns):
    """The columns of a job of Interop.Ok that the Elixir node has completed."""
    return ended(ELIXIR, **{"worker": "Interop.Ok", "queue": "elixir", **columns})


def in_python(**columns):
    """The columns of a job of interop.Ok that the Python node has completed."""
    return ended(PYTHON, **{"worker": "interop.Ok", "queue": "python", **columns})


async def insert(ex, worker, args=None, **opts):
    """Have Elixir insert a job; return its fields, and `conflict?`."""
    return await ex.rpc(INSERT, worker=worker, args=args or {}, opts=opts)


async def into_elixir(shared, py, **options):
    """Enqueue in Python and let Elixir run it; return the job, what Elixir's worker was given, and the row."""
    job = await py.oban.enqueue(Job("Interop.Ok", **{"queue": "elixir", **options}))
    given = await ran(shared.ex, job.id)
    await done(shared.ex, job.id)
    return job, given, await shared.at.row(job.id)


async def into_python(shared, py, args=None, *, literal=None, **options):
    """Insert in Elixir and let Python run it; return Elixir's fields, the job of Python's worker, and the row.

    `literal` is Elixir for the args, where no value of Python stands for them.
    """
    options = {"queue": "python", **options}
    if literal is None:
        fields = await insert(shared.ex, "interop.Ok", args, **options)
    else:
        code = f'Interop.Jobs.insert("interop.Ok", {literal}, opts)'
        fields = await shared.ex.rpc(code, opts=options)
    given = await py.ran.next()
    assert given.id == fields["id"]
    await py.ends.of(given)
    return fields, given, await shared.at.row(given.id)


def exact(value):
    """Text in which 1 and 1.0 differ, and the order of keys doesn't."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
