-- What the schema named $1 holds of Oban: always one row, whatever is there. Names are compared as they are, because a name
-- that is parsed (as by `::regclass`) folds to lower case and follows the search path. $2 are the names of Bridge's own tables.
with
  home as (
    select oid
    from pg_catalog.pg_namespace
    where nspname = $1
  ),
  jobs as (
    select c.oid
    from pg_catalog.pg_class as c
    join home on home.oid = c.relnamespace
    where c.relname = 'oban_jobs'
      and c.relkind in ('r', 'p')
  ),
  objects as (
    select c.relname::text as name
    from pg_catalog.pg_class as c
    join home on home.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and c.relname::text = any(array['oban_jobs', 'oban_peers'] || $2::text[])
    union all
    select t.typname::text
    from pg_catalog.pg_type as t
    join home on home.oid = t.typnamespace
    where t.typname = 'oban_job_state'
    union all
    select p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'
    from pg_catalog.pg_proc as p
    join home on home.oid = p.pronamespace
    where (p.proname = 'oban_jobs_notify' and p.pronargs = 0)
      or (p.proname = 'oban_count_estimate' and pg_catalog.oidvectortypes(p.proargtypes) = 'text, text')
    union all
    select p.proname || '()'
    from pg_catalog.pg_proc as p
    join home on home.oid = p.pronamespace
    where p.proname in ('bridge_canonical', 'bridge_unique_key')
    union all
    select p.proname || '()'
    from pg_catalog.pg_proc as p
    join home on home.oid = p.pronamespace
    where p.proname = 'bridge_enqueue'
      and pg_catalog.oidvectortypes(p.proargtypes)
        = 'text, jsonb, text, integer, integer, timestamp with time zone, interval, text[], jsonb'
  ),
  attributes as (
    select
      a.attnum,
      a.attname::text as name,
      pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
      a.atttypid,
      a.attidentity,
      a.attnotnull
    from pg_catalog.pg_attribute as a
    join jobs on jobs.oid = a.attrelid
    where a.attnum > 0
      and not a.attisdropped
  ),
  indexes as (
    select
      c.relname::text as name,
      i.indisvalid and i.indisready as usable,
      m.amname
        || '('
        || (
          select string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false), ',' order by k)
          from generate_series(1, i.indnkeyatts::integer) as k
        )
        || ')'
        || coalesce(' where ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') as shape
    from pg_catalog.pg_index as i
    join jobs on jobs.oid = i.indrelid
    join pg_catalog.pg_class as c on c.oid = i.indexrelid
    join pg_catalog.pg_am as m on m.oid = c.relam
  )
select
  exists (select from home) as schema_exists,
  exists (select from jobs) as installed,
  (select pg_catalog.obj_description(oid, 'pg_class') from jobs) as comment,
  array(select name from objects order by name) as objects,
  array(select name from attributes order by attnum) as columns,
  array(select type from attributes order by attnum) as types,
  exists (select from attributes where name = 'id' and attidentity = 'a') as ids_always_generated,
  array(
    select e.enumlabel::text
    from pg_catalog.pg_enum as e
    join attributes on attributes.atttypid = e.enumtypid
    where attributes.name = 'state'
    order by e.enumsortorder
  ) as states,
  array(
    select k.conname::text
    from pg_catalog.pg_constraint as k
    join jobs on jobs.oid = k.conrelid
    where k.contype = 'c'
  ) as checks,
  array(select shape from indexes where usable) as indexes,
  array(select name from indexes where not usable) as broken_indexes,
  exists (select from indexes where usable and name = 'bridge_jobs_unique') as has_unique_index,
  exists (select from indexes where usable and name = 'bridge_jobs_worker') as has_worker_index,
  exists (select from indexes where usable and shape = 'btree(state,queue,priority,scheduled_at,id)')
    and exists (select from attributes where name = 'priority' and attnotnull) as has_state_index,
  exists (
    select
    from pg_catalog.pg_trigger as t
    join jobs on jobs.oid = t.tgrelid
    where t.tgname = 'oban_notify'
      and t.tgenabled in ('O', 'A')
      and t.tgtype::integer & 4 = 4  -- fires on insert
  ) as announces_inserts
