-- Python's producers, each with the seconds since its last beat.
select
  uuid,
  name,
  node,
  queue,
  least(rescue_after, 86400) as rescue_after,
  extract(epoch from timezone('UTC', clock_timestamp()) - beat_at)::float8 as silent
from {prefix}.bridge_producers
order by node, queue, uuid
limit 10000
