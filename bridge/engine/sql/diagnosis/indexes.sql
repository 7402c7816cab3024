-- The indexes of the table of jobs in the schema named $1: whether each is in order, and its size. What is being built now
-- is not in order yet, and nobody need mend it.
select
  c.relname::text as name,
  i.indisvalid and i.indisready as valid,
  pg_get_indexdef(i.indexrelid) as definition,
  pg_relation_size(c.oid) as bytes,
  exists (select from pg_catalog.pg_stat_progress_create_index as p where p.index_relid = c.oid) as building
from pg_catalog.pg_index as i
join pg_catalog.pg_class as c on c.oid = i.indexrelid
join pg_catalog.pg_class as t on t.oid = i.indrelid
join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
where n.nspname = $1
  and t.relname = 'oban_jobs'
order by c.relname
