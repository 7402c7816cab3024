"""Keeps what happens to jobs and leases at a place: triggers write down each state that a row takes, and when."""

from datetime import timedelta

_TABLES = """
create schema journal;
create table journal.moves (
  at timestamp not null default timezone('UTC', clock_timestamp()),
  id bigint,
  state text,
  queue text,
  scheduled_at timestamp,
  node text
);
create table journal.leases (
  nth bigserial,
  deed text,
  name text,
  node text
);
create function journal.move() returns trigger language plpgsql as $$
begin
  insert into journal.moves (id, state, queue, scheduled_at, node)
  values (new.id, new.state, new.queue, new.scheduled_at, new.attempted_by[1]);
  return null;
end $$;
create function journal.lease() returns trigger language plpgsql as $$
begin
  insert into journal.leases (deed, name, node)
  values (lower(tg_op), coalesce(new.name, old.name), coalesce(new.node, old.node));
  return null;
end $$;
"""
_TRIGGERS = """
create trigger journal after insert or update of state on {jobs} for each row execute function journal.move();
create trigger journal after insert or update or delete on {peers} for each row execute function journal.lease();
"""


class Journal:
    """What was written down at a place, from `open` on."""

    def __init__(self, place):
        self._place = place

    async def open(self):
        peers = self._place.table.replace("oban_jobs", "oban_peers")
        await self._place.conn.execute(_TABLES + _TRIGGERS.format(jobs=self._place.table, peers=peers))
        return self

    async def runs(self, ids):
        """How often each job was started."""
        rows = await self._place.conn.fetch(
            "select id, count(*) filter (where state = 'executing') as runs from journal.moves group by id"
        )
        return {row["id"]: row["runs"] for row in rows if row["id"] in ids}

    async def lateness(self, state, ids):
        """Seconds from each job's time until it first was in `state`; jobs that never were are left out."""
        rows = await self._place.conn.fetch(
            "select id, min(at - scheduled_at) as late from journal.moves where state = $1 group by id", state
        )
        return {row["id"]: row["late"] / timedelta(seconds=1) for row in rows if row["id"] in ids}

    async def leases(self, name="Oban"):
        """The deeds on a lease in their order, as (insert, update or delete, the lease's node)."""
        rows = await self._place.conn.fetch("select deed, node from journal.leases where name = $1 order by nth", name)
        return [(row["deed"], row["node"]) for row in rows]
