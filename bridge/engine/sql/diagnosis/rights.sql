-- What the role may do with the tables of the schema named $1, of which $2 are the names, and whether row security hides
-- rows from it: with the whole table, with any column of it, and with the columns that inserts write ($3) and return ($4)
-- and that running a job writes ($5).
select
  current_user::text as role,
  c.relname::text as name,
  has_table_privilege(c.oid, 'select') as "select",
  has_table_privilege(c.oid, 'insert') as "insert",
  has_table_privilege(c.oid, 'update') as "update",
  has_table_privilege(c.oid, 'delete') as "delete",
  has_any_column_privilege(c.oid, 'select') as any_select,
  has_any_column_privilege(c.oid, 'insert') as any_insert,
  has_any_column_privilege(c.oid, 'update') as any_update,
  coalesce(columns.may_enqueue, false) as may_enqueue,
  coalesce(columns.may_run, false) as may_run,
  row_security_active(c.oid) as filtered,
  has_schema_privilege(n.oid, 'usage') as may_use_schema,
  sequences.may_number,
  sequences.name as sequence
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
cross join lateral (
  select
    bool_and(
      (a.attname <> all($3::text[]) or has_column_privilege(c.oid, a.attnum, 'insert'))
      and (a.attname <> all($4::text[]) or has_column_privilege(c.oid, a.attnum, 'select'))
    ) as may_enqueue,
    bool_and(a.attname <> all($5::text[]) or has_column_privilege(c.oid, a.attnum, 'update')) as may_run
  from pg_catalog.pg_attribute as a
  where a.attrelid = c.oid
    and a.attnum > 0
    and not a.attisdropped
) as columns
cross join lateral (
  select
    bool_and(has_sequence_privilege(s.oid, 'usage')) as may_number,
    min(s.relname::text) as name
  from pg_catalog.pg_depend as d
  join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
  where d.refobjid = c.oid
    and d.deptype = 'a'
) as sequences
where n.nspname = $1
  and c.relname = any($2::text[])
  and c.relkind in ('r', 'p')
order by c.relname
