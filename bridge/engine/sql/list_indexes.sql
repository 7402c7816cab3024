-- The indexes of the table of jobs, and whether each is in order. Names are compared as they are.
select
  c.relname::text as name,
  i.indisvalid and i.indisready as valid,
  pg_relation_size(c.oid) as bytes
from pg_catalog.pg_index as i
join pg_catalog.pg_class as c on c.oid = i.indexrelid
join pg_catalog.pg_class as t on t.oid = i.indrelid
join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
where n.nspname = $1
  and t.relname = 'oban_jobs'
order by c.relname
