-- Gives up the lease $1 of the node $2, and tells the others at commit, as an Elixir leader does ($3 is the channel, or null).
with released as (
  delete from {prefix}.{table}
  where name = $1
    and node = $2
  returning name
)
select case when $3::text is not null then pg_notify($3, jsonb_build_object('down', name)::text) end
from released
