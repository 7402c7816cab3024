-- Who runs what: executing jobs by producer, at most $1 of them looked at.
select
  coalesce(attempted_by[1], '') as node,
  coalesce(attempted_by[2], '') as uuid,
  count(*) as jobs,
  array_agg(distinct queue) as queues,
  extract(epoch from timezone('UTC', clock_timestamp()) - min(greatest(attempted_at, '0001-01-01')))::float8 as longest,
  (array_agg(id order by attempted_at, id))[1:5] as ids
from (
  select id, queue, attempted_at, attempted_by
  from {prefix}.oban_jobs
  where state = 'executing'
  limit $1
) as running
group by 1, 2
order by 1, 2
