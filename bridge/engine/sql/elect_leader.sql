-- Takes the lease $1 for the node $2 where it is free, has run out or is this node's, for $3 seconds, and tells whose it is.
-- The database's clock decides, so that no node's clock can end another one's lease. Where that clock was set back, a lease of
-- a node that died would last for as much longer. So each renewal is a new start, and one that was made later than a lease of
-- now would end is from before that: it holds nobody up. Nor does one that lasts for longer than any node may ask.
with clock as (
  select timezone('UTC', clock_timestamp()) as now
),
elected as (
  insert into {prefix}.{table} as held (name, node, started_at, expires_at)
  select $1, $2, now, now + $3 * interval '1 second'
  from clock
  on conflict (name) do update
  set
    node = excluded.node,
    started_at = excluded.started_at,
    expires_at = excluded.expires_at
  where held.node = excluded.node
    or held.expires_at < excluded.started_at
    or held.started_at > excluded.expires_at
    or held.expires_at > excluded.started_at + interval '1 hour'
  returning node, expires_at
)
select true as mine, node, extract(epoch from expires_at - now)::float8 as remaining
from elected, clock
union all
select false, held.node, extract(epoch from held.expires_at - now)::float8
from {prefix}.{table} as held, clock
where held.name = $1
  and not exists (select from elected)
