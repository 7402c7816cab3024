-- What the role may do with the tables of the schema named $1, of which $2 are the names, and whether row security hides
-- rows from it.
select
  c.relname::text as name,
  has_table_privilege(c.oid, 'select') as "select",
  has_table_privilege(c.oid, 'insert') as "insert",
  has_table_privilege(c.oid, 'update') as "update",
  has_table_privilege(c.oid, 'delete') as "delete",
  pg_has_role(c.relowner, 'usage') as owns,
  row_security_active(c.oid) as filtered,
  has_schema_privilege(n.oid, 'usage') as may_use_schema,
  has_schema_privilege(n.oid, 'create') as may_create,
  (
    select bool_and(has_sequence_privilege(s.oid, 'usage'))
    from pg_catalog.pg_depend as d
    join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
    where d.refobjid = c.oid
      and d.deptype = 'a'
  ) as may_number
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1
  and c.relname = any($2::text[])
  and c.relkind in ('r', 'p')
order by c.relname
