"""What the tests of harm share: odd calls by a client of Bridge's beside a live node, and whether all is well after."""

from types import SimpleNamespace

from bridge.errors import JobNotFound, ValidationError

from .conftest import done
from .storm import BrokenError

#: How many rows there are, and those of the queue that nobody runs: the columns that no stager
#: changes, nor the end of a run that had begun when the job was moved there.
_STATE = """
select count(*), (
  select md5(string_agg(row(id, worker, args, meta, tags, priority, max_attempts)::text, '' order by id))
  from {table} as held
  where queue = 'held'
)
from {table}
"""

_ONE_MORE = "insert into {table} (queue, worker) values ($1, 'Interop.Ok') returning id"

_POISON = """
select id
from {table}
where state = 'available' and attempt >= max_attempts
  or jsonb_typeof(args) <> 'object'
  or jsonb_typeof(meta) <> 'object'
  or exists (select from unnest(errors) as entry where jsonb_typeof(entry) <> 'object')
"""


class Caller:
    """Makes calls which work, or are refused and then leave nothing behind.

    Attributes:
        calls: How many there were, or how many values they had.
        refused: How many of them were refused.
    """

    def __init__(self, at, *refusals):
        self.calls = self.refused = 0
        self._at = at
        self._refusals = (ValidationError, JobNotFound, BrokenError, *refusals)

    async def __call__(self, make, values=1):
        """Make a call; return what it returned, or None where it was refused."""
        self.calls += values
        before = await self.state()
        try:
            return await make()
        except self._refusals as error:
            refused = str(error)
        after = await self.state()
        assert after == before, f"something is left of what was refused, {before} is {after}: {refused}"
        self.refused += values
        return None

    async def state(self):
        """What a call that is refused doesn't change."""
        return tuple(await self._at.conn.fetchrow(_STATE.format(table=self._at.table)))


async def unharmed(ex, at, watch):
    """The node runs one more job in each queue that may run any, reads every row, and lost nothing."""
    await watch.settle()
    for queue, (_limit, paused) in watch.queues.items():
        if not paused:
            # A plain row: Elixir takes a name of white space for none.
            number = await at.conn.fetchval(_ONE_MORE.format(table=at.table), queue)
            await done(ex, number, 30)
    poison = await at.conn.fetch(_POISON.format(table=at.table))
    assert not poison, f"rows that harm a node: {poison}"
    await ex.rpc("Interop.Watch.load_all()", timeout=60)  # raises where Oban can read one not
    damages = await watch.damages()
    assert not damages, "\n".join(damages)


def told(caller, **more):
    """What a test prints of its storm, which pytest shows where it fails."""
    print(SimpleNamespace(calls=caller.calls, refused=caller.refused, **more))
