-- Which of the rights $3 to the table $2 of the schema $1 the current role has for no column at all, and for not all of them.
select
  current_user::text as role,
  array(
    select wanted
    from unnest($3::text[]) as wanted
    where not case
      when wanted = 'delete' then has_table_privilege(c.oid, wanted)
      else has_any_column_privilege(c.oid, wanted)
    end
  ) as lacking,
  array(select wanted from unnest($3::text[]) as wanted where not has_table_privilege(c.oid, wanted)) as partly
from (values (true)) as always (here)
left join pg_catalog.pg_namespace as n on n.nspname = $1
left join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = $2
