-- The text of the function $2 of the schema $1, by which a release tells its own from another's; null where there is none.
select (
  select p.prosrc
  from pg_catalog.pg_proc as p
  join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
  where n.nspname = $1
    and p.proname = $2
  limit 1
) as source
