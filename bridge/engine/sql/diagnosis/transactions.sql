-- Sessions of this database whose transaction has been open for more than $1 seconds: what they may still want to see,
-- vacuum must keep. A role sees only its own sessions' times, unless it has pg_read_all_stats.
select
  pid,
  coalesce(usename::text, '') as role,
  coalesce(application_name, '') as application,
  coalesce(state, '') as state,
  extract(epoch from clock_timestamp() - xact_start)::float8 as seconds
from pg_catalog.pg_stat_activity
where datname = current_database()
  and xact_start < clock_timestamp() - $1 * interval '1 second'
  and pid <> pg_backend_pid()
  and backend_type = 'client backend'
order by xact_start
limit 20
