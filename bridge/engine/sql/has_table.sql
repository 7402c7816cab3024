-- Tells whether a table of Bridge's own is there; whoever may not create it may still use it.
select exists (
  select
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname = $1
    and c.relname = $2
    and c.relkind in ('r', 'p')
)
