-- Every lease, live or not, by the database's clock.
select
  name,
  node,
  started_at,
  expires_at,
  extract(epoch from expires_at - timezone('UTC', clock_timestamp()))::float8 as remaining
from {prefix}.{table}
order by name
limit 100
