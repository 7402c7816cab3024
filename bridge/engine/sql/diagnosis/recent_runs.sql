-- Where the newest jobs ran ($1 are looked at): which node ran which worker in which queue, and what the node's clock wrote
-- beside the database's. A start before its own insert, or one that is yet to come, is a clock that differs.
select
  queue,
  worker,
  coalesce(attempted_by[1], '') as node,
  count(*) as jobs,
  bool_or(cardinality(attempted_by) > 1) as has_uuid,
  max(extract(epoch from inserted_at - attempted_at))::float8 as behind,
  max(extract(epoch from attempted_at - timezone('UTC', clock_timestamp())))::float8 as ahead,
  min(extract(epoch from timezone('UTC', clock_timestamp()) - attempted_at))::float8 as ago
from (
  select queue, worker, attempted_by, attempted_at, inserted_at
  from {prefix}.oban_jobs
  order by id desc
  limit $1
) as newest
where attempted_at > '-infinity'
  and attempted_at < 'infinity'
  and inserted_at > '-infinity'
  and attempted_by is not null
group by 1, 2, 3
limit 1000
