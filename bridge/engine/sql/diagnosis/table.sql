-- The table of jobs in the schema named $1: its size, and what vacuum and analyze have done for it. `reltuples` is -1 where
-- neither has ever run.
select
  c.reltuples::float8 as estimate,
  pg_table_size(c.oid) as table_bytes,
  pg_indexes_size(c.oid) as index_bytes,
  coalesce(s.n_live_tup, 0) as live,
  coalesce(s.n_dead_tup, 0) as dead,
  greatest(s.last_vacuum, s.last_autovacuum) as vacuumed_at,
  greatest(s.last_analyze, s.last_autoanalyze) as analyzed_at,
  not current_setting('autovacuum')::boolean as autovacuum_off,
  not current_setting('track_counts')::boolean as counts_off,
  coalesce(c.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0'], false)
    as autovacuum_off_here
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_stat_all_tables as s on s.relid = c.oid
where n.nspname = $1
  and c.relname = 'oban_jobs'
