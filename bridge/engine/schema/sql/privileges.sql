-- What the current role may do in the schema named $1: always one row. A role owns a table when it is a member of the owner.
select
  current_user::text as role,
  current_database()::text as database,
  n.oid is not null as schema_exists,
  pg_catalog.has_database_privilege(current_database(), 'create') as may_create_schemas,
  coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as may_use,
  coalesce(pg_catalog.has_schema_privilege(n.oid, 'create'), false) as may_create,
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
  coalesce(pg_catalog.pg_has_role(c.relowner, 'usage'), true) as owns,
  coalesce(pg_catalog.has_table_privilege(c.oid, 'select'), true) as may_read
from (values (true)) as always (here)
left join pg_catalog.pg_namespace as n on n.nspname = $1
left join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = 'oban_jobs'
