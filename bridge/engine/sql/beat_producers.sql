-- Tells that producers ($1, their queues $2) of the instance $3 on the node $4 are alive, for $5 seconds and more. Rows are
-- taken in one order, so that two of these can't deadlock; the database's clock decides, whatever the node's shows.
insert into {prefix}.bridge_producers (uuid, name, node, queue, rescue_after, started_at, beat_at)
select
  mine.uuid,
  $3,
  $4,
  mine.queue,
  $5,
  timezone('UTC', clock_timestamp()),
  timezone('UTC', clock_timestamp())
from unnest($1::text[], $2::text[]) as mine (uuid, queue)
order by mine.uuid
on conflict (uuid) do update
set
  rescue_after = excluded.rescue_after,
  beat_at = timezone('UTC', clock_timestamp())
