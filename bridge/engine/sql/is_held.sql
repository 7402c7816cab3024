-- Tells whether somebody builds an index of the table of jobs, or vacuums or alters it. A rebuild beside a build can end in a
-- deadlock, of which the other one may be the victim.
select exists (
  select
  from pg_catalog.pg_locks as l
  join pg_catalog.pg_class as t on t.oid = l.relation
  join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
  join pg_catalog.pg_database as d on d.oid = l.database
  where n.nspname = $1
    and t.relname = 'oban_jobs'
    and d.datname = current_database()
    and l.mode in (
      'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
    )
)
